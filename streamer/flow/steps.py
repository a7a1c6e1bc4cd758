"""What deliver writes for each way a record can end: pure functions from values to a settlement's records and entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.core.command import Command
from streamer.core.control import Applied, Conflict
from streamer.core.currency import Currency
from streamer.core.delivery import Delivery, Why, moved
from streamer.core.emit import Because, DeadLetterOf, Due, Emit, Held, ResultOf
from streamer.core.entry import NO_PARTITION, PRE_ENTRY, Entry
from streamer.core.ladder import Hop, Tier, next_hop
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Outcome
from streamer.core.verdict import Decision, Finish, Judgement
from streamer.flow import results
from streamer.flow.owned import Work

Step = tuple[tuple[Emit, ...], Entry | None]

#: An unexpected error of ours waits 5 s, doubling up to 12 h, and uses up no attempt (RULES 14).
FAULT_FIRST_MS = 5_000
FAULT_MOST_MS = 12 * 3_600_000


@dataclass(frozen=True, slots=True)
class Now:
    """When and by whom a step is decided."""

    ms: int
    tiers: Sequence[Tier]
    lane_hash: int


def attempted(
    work: Work, delivery: Delivery, exchange: Exchange, judged: Judgement, decision: Decision, now: Now
) -> Step:
    """Return what follows from an attempt: an end, or a retry on the tier that fits its due time."""
    if isinstance(decision, Finish):
        because = Because(judged.rule, results.DECIDED_BY, reason=decision.reason)
        result = results.of_attempt(
            delivery, exchange, judged.outcome, judged.error_type, decision.state, because, now.ms
        )
        return _end(work, delivery, decision.state, decision.reason, result, delivery.attempt, now)
    again = moved(
        delivery,
        due_at_ms=decision.due_at_ms,
        epoch=work.owned.epoch,
        why=Why.RETRY,
        attempt=delivery.attempt + 1,
        command_id=delivery.command_id,
    )
    laid, tier = lay(again, work.owned.number, now)
    because = Because(judged.rule, results.DECIDED_BY, reason="retry", tier=tier, due_at_ms=decision.due_at_ms)
    result = results.of_attempt(delivery, exchange, judged.outcome, judged.error_type, State.RETRYING, because, now.ms)
    return (result, laid), entry_for(work, again, State.RETRYING, delivery.attempt, now)


def deferred(work: Work, delivery: Delivery, now: Now) -> Step:
    """Return what a wait writes for a delivery that is not due yet; the first of a wait is told on results."""
    state = State.RETRYING if delivery.attempt > 1 else State.SCHEDULED
    why = delivery.why or Why.SCHEDULED
    again = moved(
        delivery, due_at_ms=delivery.due_at_ms, epoch=work.owned.epoch, why=why, command_id=delivery.command_id
    )
    laid, tier = lay(again, work.owned.number, now)
    entry = entry_for(work, delivery, state, delivery.attempt - 1, now)
    if delivery.why is not None:
        return (laid,), entry
    because = Because("not_due", results.DECIDED_BY, reason=why, tier=tier, due_at_ms=delivery.due_at_ms)
    return (results.without_attempt(again, Outcome.DEFERRED, state, because, now.ms), laid), entry


def faulted(work: Work, delivery: Delivery, trace: str, now: Now) -> Step:
    """Return what an unexpected error of ours writes: a wait that grows, the trace in the result, no attempt used."""
    wait_ms = min(FAULT_FIRST_MS << min(delivery.faults, 20), FAULT_MOST_MS)
    return set_aside(work, delivery, Why.FAULT, now.ms + wait_ms, trace, now)


def set_aside(work: Work, delivery: Delivery, why: Why, due_at_ms: int, detail: str, now: Now) -> Step:
    """Return what a wait of our own making writes, told on results."""
    state = State.RETRYING if delivery.attempt > 1 else State.SCHEDULED
    again = moved(
        delivery,
        due_at_ms=due_at_ms,
        epoch=work.owned.epoch,
        why=why,
        faults=delivery.faults + 1,
        command_id=delivery.command_id,
    )
    laid, tier = lay(again, work.owned.number, now)
    because = Because(why, results.DECIDED_BY, reason=why, tier=tier, due_at_ms=due_at_ms, detail=detail)
    result = results.without_attempt(again, Outcome.DEFERRED, state, because, now.ms)
    return (result, laid), entry_for(work, again, state, delivery.attempt - 1, now)


def expired(work: Work, delivery: Delivery, now: Now) -> Step:
    """Return the end of a delivery whose time ran out before it was sent."""
    because = Because("expires_at", results.DECIDED_BY, reason="expired")
    result = results.without_attempt(delivery, Outcome.EXPIRED, State.EXPIRED, because, now.ms)
    return _end(work, delivery, State.EXPIRED, "expired", result, delivery.attempt - 1, now)


def not_current(work: Work, delivery: Delivery, verdict: Currency, entry: Entry | None, now: Now) -> Step:
    """Return what a record that is not current writes: an answer where one is owed, and the entry again.

    The entry is written again under this owner's epoch, once, so that a stopped owner's late write cannot outrank it (RULES 4).
    """
    if verdict is Currency.CANCELLED_BEFORE and entry is not None:
        because = Because("cancelled", results.DECIDED_BY, reason="cancelled before it was seen")
        result = results.without_attempt(delivery, Outcome.CANCELLED, State.CANCELLED, because, now.ms)
        return (result,), entry_for(work, delivery, State.CANCELLED, entry.attempt, now, generation=entry.generation)
    again = with_epoch(entry, work.owned.epoch) if entry is not None and entry.epoch != work.owned.epoch else None
    if verdict is not Currency.DUPLICATE:
        return (), again
    because = Because("duplicate", results.DECIDED_BY, reason="duplicate", detail="the id belongs to another request")
    return (results.without_attempt(delivery, Outcome.REJECTED, None, because, now.ms),), again


def commanded(work: Work, command: Command, answer: Applied | Conflict, entry: Entry | None, now: Now) -> Step:
    """Return the answer to a command, and what it sets going."""
    if isinstance(answer, Conflict):
        because = Because("conflict", results.DECIDED_BY, reason="conflict", detail=answer.reason)
        generation = entry.generation if entry else 0
        return (results.of_command(command, generation, Outcome.CONTROL, None, because, now.ms),), None
    if answer.delivery is None:
        return _cancelled(work, command, answer, entry, now)
    because = Because(command.verb, results.DECIDED_BY, reason="applied", due_at_ms=answer.delivery.due_at_ms)
    result = results.of_command(command, answer.generation, Outcome.CONTROL, State.PENDING, because, now.ms)
    laid, _ = lay(answer.delivery, work.owned.number, now)
    new = entry_for(work, answer.delivery, State.PENDING, 0, now)
    return (laid, result), new


def lay(delivery: Delivery, partition: int, now: Now) -> tuple[Held | Due, str | None]:
    """Return the delivery on the tier that fits its due time, or on ``due`` when it is due; and the tier's name."""
    hop: Hop | None = next_hop(now.tiers, now.ms, delivery.due_at_ms)
    if hop is None or hop.tier is None:
        return Due(delivery, partition), None
    return Held(delivery, hop.tier.name, hop.release_at_ms, partition), hop.tier.name


def entry_for(
    work: Work, delivery: Delivery, state: State, attempt: int, now: Now, generation: int | None = None
) -> Entry:
    """Return the entry that a delivery leaves behind."""
    return Entry(
        generation=generation if generation is not None else delivery.generation,
        epoch=work.owned.epoch,
        attempt=attempt,
        state=state,
        flags=0,
        updated_s=now.ms // 1000,
        due_s=delivery.due_at_ms // 1000,
        content=work.content,
        lane=now.lane_hash,
        request_partition=delivery.origin.partition,
        request_offset=delivery.origin.offset,
    )


def with_epoch(entry: Entry, epoch: int) -> Entry:
    """Return the entry as another owner writes it again."""
    return Entry(
        generation=entry.generation,
        epoch=epoch,
        attempt=entry.attempt,
        state=entry.state,
        flags=entry.flags,
        updated_s=entry.updated_s,
        due_s=entry.due_s,
        content=entry.content,
        lane=entry.lane,
        request_partition=entry.request_partition,
        request_offset=entry.request_offset,
    )


def _end(work: Work, delivery: Delivery, state: State, reason: str, result: ResultOf, attempt: int, now: Now) -> Step:
    entry = entry_for(work, delivery, state, attempt, now)
    if state is State.SUCCEEDED:
        return (result,), entry
    return (result, DeadLetterOf(delivery, reason, result, now.ms)), entry


def _cancelled(work: Work, command: Command, answer: Applied, entry: Entry | None, now: Now) -> Step:
    reason = "not seen yet" if answer.pre_entry else "cancelled"
    because = Because("cancel", results.DECIDED_BY, reason=reason, detail=f"by {command.by}")
    outcome = Outcome.CONTROL if answer.pre_entry else Outcome.CANCELLED
    state = None if answer.pre_entry else State.CANCELLED
    result = results.of_command(command, answer.generation, outcome, state, because, now.ms)
    new = Entry(
        generation=answer.generation,
        epoch=work.owned.epoch,
        attempt=entry.attempt if entry else 0,
        state=State.CANCELLED,
        flags=PRE_ENTRY if answer.pre_entry else (entry.flags if entry else 0),
        updated_s=now.ms // 1000,
        due_s=now.ms // 1000,
        content=entry.content if entry else bytes(8),
        lane=now.lane_hash,
        request_partition=entry.request_partition if entry else NO_PARTITION,
        request_offset=entry.request_offset if entry else 0,
    )
    return (result,), new
