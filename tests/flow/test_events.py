"""What each record that a stage writes is told as."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.core.emit import (
    Because,
    Claim,
    DeadLetterOf,
    Due,
    Emit,
    Firing,
    FirstPass,
    Held,
    LaneSignal,
    ResultOf,
    UnreadableOf,
)
from streamer.core.figures import LaneFigures
from streamer.core.lifecycle import TERMINAL, State
from streamer.core.outcome import ErrorType, Exchange, Failure, Outcome, Response
from streamer.core.reading import Refused
from streamer.core.schedule import Cursor
from streamer.extensions import Event, EventKind
from streamer.flow.events import COMMANDS, ENDS, event_of, kind_of
from streamer.flow.intake import RawRequest, refuse
from streamer.wire.result_record import decode_result, encode_result
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task
from tests.wire.samples import AT_MS, DELIVERY, EXCHANGE, FAILED, result

LATER_MS = NOW_MS + 90 * MINUTE_MS

#: By outcome, state, and where they matter rule and reason; every outcome stands here.
TOLD: tuple[tuple[Outcome, State | None, str, str, EventKind | None], ...] = (
    (Outcome.SUCCESS, State.SUCCEEDED, "success_codes", "delivered", EventKind.SUCCEEDED),
    (Outcome.SERVER_ERROR, State.RETRYING, "codes", "retry", EventKind.ATTEMPT_FAILED),
    (Outcome.RATE_LIMITED, State.RETRYING, "codes", "retry", EventKind.ATTEMPT_FAILED),
    (Outcome.NETWORK_ERROR, State.RETRYING, "network", "retry", EventKind.ATTEMPT_FAILED),
    (Outcome.TIMEOUT, State.FAILED, "network", "exhausted", EventKind.EXHAUSTED),
    (Outcome.CLIENT_ERROR, State.FAILED, "codes", "client_error", EventKind.FAILED),
    (Outcome.BLOCKED, State.FAILED, "guard", "blocked", EventKind.FAILED),
    (Outcome.CREDENTIALS_ERROR, State.EXPIRED, "credentials", "expired", EventKind.FAILED),
    (Outcome.DEFERRED, State.SCHEDULED, "not_due", "scheduled", EventKind.DEFERRED),
    (Outcome.DEFERRED, State.RETRYING, "rate", "rate", EventKind.DEFERRED),
    (Outcome.EXPIRED, State.EXPIRED, "expires_at", "expired", EventKind.FAILED),
    (Outcome.REJECTED, State.REJECTED, "backlog", "backlog_full", EventKind.FAILED),
    (Outcome.REJECTED, None, "duplicate", "duplicate", None),
    (Outcome.DUPLICATE, None, "duplicate", "duplicate", None),
    (Outcome.CANCELLED, State.CANCELLED, "cancel", "cancelled", EventKind.CANCELLED),
    (Outcome.CONTROL, State.PENDING, Verb.UPDATE, "applied", EventKind.UPDATED),
    (Outcome.CONTROL, State.PENDING, Verb.UPDATE, "moved", EventKind.UPDATED),
    (Outcome.CONTROL, State.PENDING, Verb.RUN_NOW, "applied", EventKind.UPDATED),
    (Outcome.CONTROL, State.PENDING, Verb.RETRY, "applied", EventKind.REPLAYED),
    (Outcome.CONTROL, State.PENDING, Verb.REPLAY, "applied", EventKind.REPLAYED),
    (Outcome.CONTROL, None, "cancel", "not seen yet", None),
    (Outcome.CONTROL, None, "conflict", "conflict", None),
)


def told(emits: list[Emit]) -> list[Event]:
    return [event for emit in emits if (event := event_of(emit)) is not None]


def kinds(desk: Desk) -> list[str]:
    """Return the kinds of what was told of all that a desk has published."""
    return [event.kind for event in told(desk.outbox.published)]


def command(verb: Verb, generation: int | None = 1, delivery: Delivery | None = None) -> Command:
    return Command("cmd_1", verb, "tsk_1", "receiver.example", generation, delivery, "ops", NOW_MS)


@pytest.mark.parametrize(("outcome", "state", "rule", "reason", "kind"), TOLD)
def test_what_a_result_is_told_as(
    outcome: Outcome, state: State | None, rule: str, reason: str, kind: EventKind | None
) -> None:
    """By its outcome and the state it leaves; an answer that says nothing of the task is not told."""
    assert kind_of(result(outcome, state, because=Because(rule, "deliver", reason=reason))) is kind


def test_the_table_has_every_outcome_state_and_verb() -> None:
    """Whoever adds one decides what it is told as, and every kind but two is told of a result."""
    assert {row[0] for row in TOLD} == set(Outcome)
    assert {row[4] for row in TOLD if row[4]} == set(EventKind) - {EventKind.ACCEPTED, EventKind.BREAKER_CHANGED}
    assert set(ENDS) == TERMINAL
    assert set(COMMANDS) == set(Verb) - {Verb.CANCEL}


@pytest.mark.parametrize(
    "one",
    [
        result(),
        result(Outcome.NETWORK_ERROR, State.RETRYING, FAILED, Because("network", "deliver", "retry")),
        result(Outcome.DEFERRED, State.SCHEDULED, None, Because("rate", "lane", "rate", "retry-1m", AT_MS + 60_000)),
        result(Outcome.CONTROL, State.PENDING, None, Because(Verb.REPLAY, "deliver", "applied"), command_id="cmd_1"),
    ],
)
def test_an_event_has_the_id_of_its_result(one: ResultOf) -> None:
    """So that whoever reads both, or is told twice, knows it again."""
    event = event_of(one)
    assert event is not None
    assert event.id == decode_result(encode_result(one))["event_id"]


def test_a_success_in_full() -> None:
    """Everything that a result says of the task and its attempt, but for what was sent and answered."""
    assert event_of(result()) == Event(
        kind=EventKind.SUCCEEDED,
        id=result().event_id,
        at_ms=AT_MS + 10,
        domain="example.com",
        task_id="tsk_00ff",
        business="acme",
        business_id="o-1",
        generation=1,
        attempt=2,
        outcome="success",
        status=200,
        reason="succeeded",
        duration_ms=EXCHANGE.duration_ms,
        metadata=(("order", "1"),),
    )


def test_no_event_has_a_url_a_header_or_a_body() -> None:
    """Nor a peer's words, nor an error of ours, which may hold one: details are told of commands alone."""
    secret = "https://example.com/hooks?token=s3cret"
    exchange = Exchange(Response(302, (("Location", secret),), secret.encode()), AT_MS, 1.0, None, (("a", secret),))
    delivery = replace(DELIVERY, request=replace(DELIVERY.request, url=secret, body=secret.encode()))
    because = Because("redirect", "deliver", "retry", detail=f"points to {secret}")
    found = [
        event_of(result(Outcome.CLIENT_ERROR, State.RETRYING, exchange, because, delivery=delivery)),
        event_of(result(Outcome.DEFERRED, State.RETRYING, None, because, delivery=delivery)),
        event_of(FirstPass(delivery)),
        event_of(result(Outcome.NETWORK_ERROR, State.RETRYING, Exchange(Failure(ErrorType.TLS, secret), AT_MS, 1.0))),
    ]
    assert None not in found
    assert "s3cret" not in repr(found)


def test_an_accepted_task_is_told_once_and_by_the_same_id_again() -> None:
    """Its first pass: read twice it is the same event; of a task that moves to another domain it is none."""
    first = event_of(FirstPass(replace(DELIVERY, attempt=1)))
    assert first is not None
    assert (first.kind, first.attempt, first.due_at_ms) == (EventKind.ACCEPTED, 0, AT_MS + 60_000)
    again = event_of(FirstPass(replace(DELIVERY, attempt=1, accepted_at_ms=AT_MS + 90_000)))
    assert again is not None
    assert (again.id, again.due_at_ms) == (first.id, None)
    assert event_of(FirstPass(replace(DELIVERY, generation=2))) is None


def test_what_is_not_told() -> None:
    """Records on our way, another's claim, and what stands beside a result that is told."""
    silent: list[Emit] = [
        Claim(b"key", b"content", DELIVERY),
        Due(DELIVERY),
        Held(DELIVERY, "retry-1m", AT_MS),
        DeadLetterOf(DELIVERY, "exhausted", result(), AT_MS),
        UnreadableOf("requests", 0, 0, 0, None, None, (), None, "bad", AT_MS),
        LaneSignal("example.com", 0, 0, 0, 0, AT_MS),
        LaneFigures("example.com", 0, AT_MS, breaker="open"),
        Firing("nightly", AT_MS, b"{}"),
        Cursor("nightly", "0 3 * * *", AT_MS),
    ]
    assert told(silent) == []


def test_a_record_that_is_no_request_is_told_as_failed() -> None:
    """Nothing is known of its domain or business; the reason says that it was none."""
    raw = RawRequest("cluster", "requests", 0, 3, NOW_MS, None, b"{", ())
    (event,) = told(list(refuse(raw, Refused("url", "is missing"), NOW_MS)))
    assert (event.kind, event.reason, event.domain, event.task_id) == ("failed", "invalid", "", raw.derived_id)


async def test_a_life_with_retries_to_the_end(desk: Desk) -> None:
    """Each attempt that is followed by another has failed; the last one is told as the end alone."""
    desk.answer(500)
    await desk.give(task(retry_ms=(MINUTE_MS, MINUTE_MS)))
    await desk.come_back()
    await desk.come_back()
    assert kinds(desk) == ["attempt_failed", "attempt_failed", "exhausted"]
    assert [event.attempt for event in told(desk.outbox.published)] == [1, 2, 3]


async def test_a_life_with_commands(desk: Desk) -> None:
    """It waits, is updated, is cancelled at last; a command that comes too late, or is read twice, tells no other event."""
    await desk.give(task(due_at_ms=LATER_MS))
    update = command(Verb.UPDATE, 1, task(due_at_ms=LATER_MS, body=b"new"))
    await desk.give(update, update, source="control")
    cancel = replace(command(Verb.CANCEL, None), command_id="cmd_2")
    await desk.give(cancel, replace(cancel, command_id="cmd_3"), source="control")
    deferred, updated, *again, cancelled = told(desk.outbox.published)
    assert (deferred.kind, updated.kind, cancelled.kind) == ("deferred", "updated", "cancelled")
    assert (deferred.due_at_ms, deferred.attempt, deferred.reason) == (LATER_MS, 0, "scheduled")
    assert (updated.generation, updated.detail) == (2, "by ops")
    assert {event.id for event in again} == {updated.id}
    assert (cancelled.domain, cancelled.detail, cancelled.task_id) == ("receiver.example", "by ops", "tsk_1")


async def test_a_cancel_before_the_task_is_seen_is_told_when_it_is(desk: Desk) -> None:
    """The cancel of what nobody has seen tells nothing; the task's end is told, once."""
    await desk.give(command(Verb.CANCEL, None), source="control")
    assert kinds(desk) == []
    await desk.give(task())
    assert kinds(desk) == ["cancelled"]


async def test_a_replay_begins_a_new_generation(desk: Desk) -> None:
    """After an end that no attempt could mend: replayed, then what comes of it."""
    desk.answer(410, 200)
    await desk.give(task())
    await desk.give(command(Verb.REPLAY, 1, task()), source="control")
    await desk.come_back()
    assert kinds(desk) == ["failed", "replayed", "succeeded"]
    assert [event.generation for event in told(desk.outbox.published)] == [1, 2, 2]
