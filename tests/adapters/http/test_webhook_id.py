"""The id by which a receiver knows a repeat: the same for every attempt of a task, another after an update."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.adapters.http.headers import outgoing_headers
from streamer.core.command import Command, Verb
from streamer.core.control import Applied, answer
from streamer.core.delivery import Delivery, webhook_id
from streamer.core.request import Request
from tests.support.sending import TASK_ID, delivery_of

NOW_MS = 1_732_291_200_000


def headers(delivery: Delivery) -> dict[str, str]:
    return dict(outgoing_headers(delivery, NOW_MS, "streamer/9"))


def after(verb: Verb, delivery: Delivery) -> Delivery:
    """Return what a command makes of a task."""
    asked = Command("cmd_1", verb, TASK_ID, "lane", delivery.generation, delivery, "ops", NOW_MS, force=True)
    applied = answer(asked, None, NOW_MS, 1)
    assert isinstance(applied, Applied)
    assert applied.delivery is not None
    return applied.delivery


@pytest.mark.parametrize("attempt", [1, 4])
def test_task_that_nobody_updated_is_named_by_its_id(attempt: int) -> None:
    """RULES 33: every attempt bears the same id and key."""
    sent = headers(delivery_of(Request("https://x.example/"), attempt=attempt))
    assert sent["webhook-id"] == sent["Idempotency-Key"] == sent["X-Streamer-Task"] == TASK_ID


def test_update_makes_a_new_id_and_what_follows_keeps_it() -> None:
    """RULES 33: an update is another message; a replay or retry of it is the same one again."""
    plain = delivery_of(Request("https://x.example/"))
    assert webhook_id(after(Verb.REPLAY, plain)) == webhook_id(after(Verb.RETRY, plain)) == TASK_ID
    new = after(Verb.UPDATE, plain)
    sent = headers(new)
    assert sent["webhook-id"] == sent["Idempotency-Key"] == f"{TASK_ID}-g2"
    assert sent["X-Streamer-Task"] == TASK_ID
    for verb in (Verb.RETRY, Verb.REPLAY, Verb.RUN_NOW):
        again = after(verb, new)
        assert (again.generation, webhook_id(again)) == (3, f"{TASK_ID}-g2")
    assert webhook_id(after(Verb.UPDATE, after(Verb.REPLAY, new))) == f"{TASK_ID}-g4"


def test_callers_own_key_is_kept_after_an_update() -> None:
    """The caller's Idempotency-Key stays the caller's; only the webhook id tells the update."""
    request = Request("https://x.example/", headers=(("idempotency-key", "mine"),))
    sent = headers(replace(delivery_of(request), revision=2))
    assert (sent["idempotency-key"], sent["webhook-id"]) == ("mine", f"{TASK_ID}-g2")
    assert "Idempotency-Key" not in sent
