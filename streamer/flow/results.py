"""Builds the values that deliver emits, so that the stages read as decisions."""

from __future__ import annotations

from streamer.core.command import Command
from streamer.core.delivery import Delivery
from streamer.core.emit import Because, ResultOf
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Exchange, Outcome

DECIDED_BY = "deliver"


def of_attempt(
    delivery: Delivery,
    exchange: Exchange,
    outcome: Outcome,
    error_type: ErrorType | None,
    state: State | None,
    because: Because,
    now_ms: int,
) -> ResultOf:
    """Return the result of an attempt that was made."""
    return ResultOf(
        task_id=delivery.task_id,
        business=delivery.business,
        business_id=delivery.business_id,
        generation=delivery.generation,
        attempt=delivery.attempt,
        outcome=outcome,
        error_type=error_type,
        state=state,
        because=because,
        at_ms=now_ms,
        origin=delivery.origin,
        delivery=delivery,
        exchange=exchange,
    )


def without_attempt(
    delivery: Delivery, outcome: Outcome, state: State | None, because: Because, now_ms: int
) -> ResultOf:
    """Return the result of a decision for which nothing was sent."""
    return ResultOf(
        task_id=delivery.task_id,
        business=delivery.business,
        business_id=delivery.business_id,
        generation=delivery.generation,
        attempt=delivery.attempt,
        outcome=outcome,
        error_type=None,
        state=state,
        because=because,
        at_ms=now_ms,
        origin=delivery.origin,
        delivery=delivery,
        command_id=delivery.command_id,
    )


def of_command(
    command: Command,
    generation: int,
    outcome: Outcome,
    state: State | None,
    because: Because,
    now_ms: int,
    goes_on: Delivery | None = None,
) -> ResultOf:
    """Return the answer to a command; ``goes_on`` is what the task goes on as."""
    delivery = goes_on or command.delivery
    return ResultOf(
        task_id=command.task_id,
        business=delivery.business if delivery else "",
        business_id=delivery.business_id if delivery else None,
        generation=generation,
        attempt=0,
        outcome=outcome,
        error_type=None,
        state=state,
        because=because,
        at_ms=now_ms,
        origin=delivery.origin if delivery else None,
        delivery=goes_on,
        command_id=command.command_id,
        lane=command.lane,
    )
