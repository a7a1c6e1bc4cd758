"""A task on its way: one pass through deliver, with everything that must travel with it.

Must not know topics, JSON or how the pass is carried out.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from streamer.core.identity import derived_traceparent
from streamer.core.request import Request


class Why(StrEnum):
    """Why a delivery waits, or None while it does not."""

    SCHEDULED = "scheduled"
    RETRY = "retry"
    #: The domain's rate is used up until its slot, or so many of its tasks wait that this one's turn is later.
    RATE = "rate"
    LANE_FULL = "lane_full"
    BACKLOG = "backlog"
    #: The receiver asked for a pause (Retry-After), or an operator set one.
    RETRY_AFTER = "retry_after"
    PAUSED = "paused"
    BREAKER = "breaker"
    #: A limit across domains: a business's quota, a named policy's rate, a rate key.
    SHARED_LIMIT = "shared_limit"
    FAULT = "fault"
    PARKED = "parked"
    CONTROL = "control"


class Origin(Struct, frozen=True, gc=False):
    """Coordinates of the request record that made the task: where its truth began."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Delivery(Struct, frozen=True, gc=False):
    """The task in normal form and where it stands.

    ``attempt`` is the number of the next attempt, from 1. ``seen`` is False only on what intake or claim published: such a
    record may be the first that deliver sees of its task (RULES 1). ``epoch`` is the generation of the owner that
    published it. ``faults`` counts the unexpected errors of ours that this pass has met, for the growing wait (RULES 14).

    ``promise_ms`` is the slot that the lane has promised it, by which it goes before fresh work. ``waits`` counts the
    deferrals one after the other for an open breaker or a pause, for the growing wait (RULES 9). ``slot_ms`` is the slot that
    it has taken of limits across domains and brings back (RULES 24). ``shard`` is fixed at intake (RULES 23).
    ``revision`` is the generation that an update made, 0 where none did: what ``webhook-id`` is made of (RULES 33).
    """

    task_id: str
    business: str
    business_id: str | None
    lane: str
    request: Request
    origin: Origin
    accepted_at_ms: int
    due_at_ms: int
    generation: int = 1
    attempt: int = 1
    seen: bool = False
    epoch: int = 0
    why: Why | None = None
    faults: int = 0
    promise_ms: int | None = None
    command_id: str | None = None
    shard: int = 0
    waits: int = 0
    slot_ms: int | None = None
    revision: int = 0


def webhook_id(delivery: Delivery) -> str:
    """Return what tells the receiver that two calls mean the same: an update makes another one (RULES 33)."""
    return f"{delivery.task_id}-g{delivery.revision}" if delivery.revision else delivery.task_id


def trace_of(delivery: Delivery) -> str:
    """Return the traceparent of the task's calls and records: the producer's, else one made of the task's id."""
    return delivery.request.traceparent or derived_traceparent(delivery.task_id)


def trace_id_of(delivery: Delivery) -> str:
    """Return the 32 hex digits by which tracing tools find the task: the trace's id within its traceparent."""
    return trace_of(delivery)[3:35]


def moved(
    delivery: Delivery,
    *,
    due_at_ms: int,
    epoch: int,
    why: Why | None,
    attempt: int | None = None,
    generation: int | None = None,
    faults: int = 0,
    request: Request | None = None,
    command_id: str | None = None,
    promise_ms: int | None = None,
    waits: int = 0,
    slot_ms: int | None = None,
    revision: int | None = None,
) -> Delivery:
    """Return the delivery as deliver publishes it again: seen, with a new due time and what else has changed.

    A promise, a slot and the counts of waits and faults belong to one wait: they are gone unless given anew.
    """
    return Delivery(
        task_id=delivery.task_id,
        business=delivery.business,
        business_id=delivery.business_id,
        lane=delivery.lane,
        request=request or delivery.request,
        origin=delivery.origin,
        accepted_at_ms=delivery.accepted_at_ms,
        due_at_ms=due_at_ms,
        generation=generation if generation is not None else delivery.generation,
        attempt=attempt if attempt is not None else delivery.attempt,
        seen=True,
        epoch=epoch,
        why=why,
        faults=faults,
        promise_ms=promise_ms,
        command_id=command_id,
        shard=delivery.shard,
        waits=waits,
        slot_ms=slot_ms,
        revision=revision if revision is not None else delivery.revision,
    )
