"""The lines about tasks: what stands in them, when they are written, and what never stands in them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from streamer.adapters.log.outbox import LOGGER, LoggedOutbox
from streamer.adapters.memory.outbox import Kind, MemoryOutbox, Trouble
from streamer.core.emit import Because, Emit, FirstPass
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.ports import Abandoned, Change
from tests.wire.samples import AT_MS, DELIVERY, EXCHANGE, FAILED, result

WAIT = Because("rate", "deliver", reason="rate", tier="5s", due_at_ms=AT_MS, detail="https://secret.test/?token=1")
EMITS: list[Emit] = [
    FirstPass(DELIVERY),
    result(),
    result(Outcome.NETWORK_ERROR, State.RETRYING, FAILED),
    result(Outcome.DEFERRED, State.SCHEDULED, None, WAIT),
]


def fields(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    """Return each line's sentence and what it is about."""
    return [(record.getMessage(), vars(record)["fields"]) for record in caplog.records if record.name == LOGGER]


async def test_a_line_for_each_result(caplog: pytest.LogCaptureFixture) -> None:
    """Attempts and decisions are told with task, trace and why; what does not apply is left out."""
    caplog.set_level(logging.INFO, LOGGER)
    outbox = MemoryOutbox()
    await LoggedOutbox(outbox).publish(EMITS)
    assert outbox.published == EMITS
    task = {
        "task_id": "tsk_00ff",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "business": "acme",
        "domain": "example.com",
        "generation": 1,
        "attempt": 2,
    }
    (first, ended), (second, failed), (third, waits) = fields(caplog)
    assert (first, second, third) == ("attempt", "attempt", "decision")
    assert ended == task | {
        "outcome": "success",
        "state": "succeeded",
        "rule": "success_codes",
        "reason": "succeeded",
        "status": 200,
        "duration_ms": 3.217,
        "address": EXCHANGE.address,
    }
    assert (failed["error_type"], "status" in failed) == ("connect", False)
    assert waits == task | {
        "outcome": "deferred",
        "state": "scheduled",
        "rule": "rate",
        "reason": "rate",
        "tier": "5s",
        "due_at": "2026-01-01T00:00:00.000Z",
    }


async def test_no_line_has_what_a_request_or_an_answer_holds(caplog: pytest.LogCaptureFixture) -> None:
    """URL, headers, bodies, details and metadata stay out, whatever stands in them."""
    caplog.set_level(logging.INFO, LOGGER)
    planted = replace(DELIVERY, request=replace(DELIVERY.request, url="https://u:canary@h/?canary", body=b"canary"))
    waits = result(Outcome.DEFERRED, State.SCHEDULED, None, WAIT, delivery=planted)
    await LoggedOutbox(MemoryOutbox()).publish([result(delivery=planted), waits])
    told = repr(fields(caplog))
    assert len(caplog.records) == 2
    assert [word for word in ("canary", "Bearer", "hooks", "a=b", "ok", "token", "order") if word in told] == []


async def test_nothing_is_told_unasked(caplog: pytest.LogCaptureFixture) -> None:
    """Without the word there is no line, and the records are written all the same."""
    caplog.set_level(logging.WARNING, LOGGER)
    outbox = MemoryOutbox()
    await LoggedOutbox(outbox).publish(EMITS)
    assert (outbox.published, fields(caplog)) == (EMITS, [])


async def test_what_was_not_acknowledged_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """A line says what the broker has: a write that is given up leaves none."""
    caplog.set_level(logging.INFO, LOGGER)
    outbox = MemoryOutbox()

    def lost(_kind: Kind, _items: Sequence[Emit] | Sequence[Change]) -> Trouble:
        return Trouble(Abandoned())

    outbox.trouble = lost
    with pytest.raises(Abandoned):
        await LoggedOutbox(outbox).publish(EMITS)
    assert fields(caplog) == []
