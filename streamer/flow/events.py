"""What listeners are told of a record that stands: an event of the closed list, or nothing. No clock, no I/O."""

from __future__ import annotations

from types import MappingProxyType
from typing import assert_never

from streamer.core.command import Verb
from streamer.core.decide import EXHAUSTED
from streamer.core.delivery import Delivery
from streamer.core.emit import (
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
from streamer.core.identity import event_id
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome, Response
from streamer.core.schedule import Cursor
from streamer.extensions import Event, EventKind

#: What an end is told as, unless the attempts ran out. Its reason says why it failed.
ENDS: MappingProxyType[State, EventKind] = MappingProxyType(
    {
        State.SUCCEEDED: EventKind.SUCCEEDED,
        State.FAILED: EventKind.FAILED,
        State.EXPIRED: EventKind.FAILED,
        State.REJECTED: EventKind.FAILED,
        State.CANCELLED: EventKind.CANCELLED,
    }
)
#: What a command that holds is told as. A cancel is told as the task's end.
COMMANDS: MappingProxyType[str, EventKind] = MappingProxyType(
    {
        Verb.UPDATE: EventKind.UPDATED,
        Verb.RUN_NOW: EventKind.UPDATED,
        Verb.RETRY: EventKind.REPLAYED,
        Verb.REPLAY: EventKind.REPLAYED,
    }
)


def event_of(emit: Emit) -> Event | None:
    """Return what is told of a record, None where it is nothing; a lane's figures are told only where they change."""
    match emit:
        case ResultOf():
            kind = kind_of(emit)
            return None if kind is None else _of_result(kind, emit)
        case FirstPass():
            # Of a later generation it is a task that moves, and the command's answer tells of that.
            return _accepted(emit.delivery) if emit.delivery.generation == 1 else None
        case Claim() | Due() | Held() | DeadLetterOf() | UnreadableOf() | LaneSignal() | LaneFigures():
            # A claim may be another's, and a dead letter stands beside the result that told of the end.
            return None
        case Firing() | Cursor():
            return None
        case _:
            assert_never(emit)


def kind_of(result: ResultOf) -> EventKind | None:
    """Return what a result is told as, None for an answer that says nothing of the task: a conflict, or a duplicate."""
    state = result.state
    if state is None:
        return None
    if result.outcome is Outcome.DEFERRED:
        return EventKind.DEFERRED
    if result.outcome is Outcome.CONTROL:
        return COMMANDS.get(result.because.rule)
    if state is State.FAILED and result.because.reason == EXHAUSTED:
        return EventKind.EXHAUSTED
    return EventKind.ATTEMPT_FAILED if state is State.RETRYING else ENDS.get(state)


def _of_result(kind: EventKind, result: ResultOf) -> Event:
    delivery, exchange, because = result.delivery, result.exchange, result.because
    end = exchange.end if exchange is not None else None
    commanded = result.outcome is Outcome.CONTROL or result.outcome is Outcome.CANCELLED
    return Event(
        kind=kind,
        id=result.event_id,
        at_ms=result.at_ms,
        domain=delivery.lane if delivery is not None else result.lane or "",
        task_id=result.task_id,
        business=result.business,
        business_id=result.business_id,
        generation=result.generation,
        attempt=result.attempt if exchange is not None else 0,
        outcome=result.outcome.value,
        error_type=result.error_type.value if result.error_type is not None else None,
        status=end.status if isinstance(end, Response) else None,
        reason=because.reason,
        # Others may hold a URL, or a peer's words.
        detail=because.detail if commanded else None,
        due_at_ms=because.due_at_ms,
        duration_ms=exchange.duration_ms if exchange is not None else None,
        metadata=delivery.request.metadata if delivery is not None else (),
    )


def _accepted(delivery: Delivery) -> Event:
    waits = delivery.due_at_ms > delivery.accepted_at_ms
    return Event(
        kind=EventKind.ACCEPTED,
        id=event_id(delivery.task_id, delivery.generation, 0, EventKind.ACCEPTED),
        at_ms=delivery.accepted_at_ms,
        domain=delivery.lane,
        task_id=delivery.task_id,
        business=delivery.business,
        business_id=delivery.business_id,
        generation=delivery.generation,
        due_at_ms=delivery.due_at_ms if waits else None,
        metadata=delivery.request.metadata,
    )
