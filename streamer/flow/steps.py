"""What deliver writes for each way a record can end: pure functions from values to a settlement's records and entry."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from streamer.core.command import Command
from streamer.core.control import Applied, Conflict
from streamer.core.currency import Currency
from streamer.core.delivery import Delivery, Why, moved
from streamer.core.emit import Because, DeadLetterOf, Due, Emit, FirstPass, Held, ResultOf
from streamer.core.entry import MOVED, NO_PARTITION, PRE_ENTRY, Entry
from streamer.core.identity import command_mark
from streamer.core.ladder import Hop, Tier, next_hop
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Outcome
from streamer.core.put_off import PutOff
from streamer.core.verdict import Decision, Finish, Judgement
from streamer.flow import results
from streamer.flow.owned import Work

Emits = tuple[Emit, ...]
MaybeEntry = Entry | None
Step = tuple[Emits, MaybeEntry]
#: What a command writes: what follows, the entry, and what is told once the entry stands.
ToldStep = tuple[Emits, MaybeEntry, Emits]

#: An unexpected error of ours waits 5 s, doubling up to 12 h, and uses up no attempt (RULES 14).
FAULT_FIRST_MS = 5_000
FAULT_MOST_MS = 12 * 3_600_000


class Now(Struct, frozen=True, gc=False):
    """When and by whom a step is decided."""

    ms: int
    tiers: Sequence[Tier]
    lane_hash: int


def attempted(
    work: Work, delivery: Delivery, exchange: Exchange, judged: Judgement, decision: Decision, now: Now
) -> Step:
    """Return what follows from an attempt: an end, or a retry on the tier that fits its due time."""
    if isinstance(decision, Finish):
        because = Because(judged.rule, results.DECIDED_BY, reason=decision.reason, detail=judged.detail)
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
    because = Because(judged.rule, results.DECIDED_BY, "retry", tier, decision.due_at_ms, judged.detail)
    result = results.of_attempt(delivery, exchange, judged.outcome, judged.error_type, State.RETRYING, because, now.ms)
    return (result, laid), entry_for(work, again, State.RETRYING, delivery.attempt, now)


def deferred(work: Work, delivery: Delivery, now: Now) -> Step:
    """Return what a wait writes for a delivery that is not due yet; the first of a wait is told on results."""
    state = State.RETRYING if delivery.attempt > 1 else State.SCHEDULED
    why = delivery.why or Why.SCHEDULED
    again = moved(
        delivery,
        due_at_ms=delivery.due_at_ms,
        epoch=work.owned.epoch,
        why=why,
        command_id=delivery.command_id,
        promise_ms=delivery.promise_ms,
        waits=delivery.waits,
        slot_ms=delivery.slot_ms,
    )
    laid, tier = lay(again, work.owned.number, now)
    entry = entry_for(work, delivery, state, delivery.attempt - 1, now)
    if delivery.why is not None:
        return (laid,), entry
    because = Because("not_due", results.DECIDED_BY, reason=why, tier=tier, due_at_ms=delivery.due_at_ms)
    return (results.without_attempt(again, Outcome.DEFERRED, state, because, now.ms), laid), entry


def put_off(work: Work, delivery: Delivery, wait: PutOff, slot_ms: int | None, now: Now) -> Step:
    """Return what a deferral writes that a limit asks for: no attempt is used up, and results tell why and until when.

    A task whose time is over before then is looked at when it is over.
    """
    due_at_ms, expires_at_ms = wait.due_at_ms, delivery.request.expires_at_ms
    if expires_at_ms is not None:
        due_at_ms = min(due_at_ms, expires_at_ms)
    state = State.RETRYING if delivery.attempt > 1 else State.SCHEDULED
    again = moved(
        delivery,
        due_at_ms=due_at_ms,
        epoch=work.owned.epoch,
        why=wait.why,
        command_id=delivery.command_id,
        promise_ms=wait.promise_ms,
        waits=wait.waits,
        slot_ms=slot_ms,
    )
    laid, tier = lay(again, work.owned.number, now)
    because = Because(wait.why, results.DECIDED_BY, reason=wait.why, tier=tier, due_at_ms=due_at_ms)
    result = results.without_attempt(again, Outcome.DEFERRED, state, because, now.ms)
    return (result, laid), entry_for(work, again, state, delivery.attempt - 1, now)


def refused(work: Work, delivery: Delivery, backlog: int, now: Now) -> Step:
    """Return the end of a new task that its domain's cap on open tasks turns away."""
    detail = f"the domain has {backlog} open tasks, which is its cap"
    because = Because("backlog", results.DECIDED_BY, reason="backlog_full", detail=detail)
    result = results.without_attempt(delivery, Outcome.REJECTED, State.REJECTED, because, now.ms)
    return _end(work, delivery, State.REJECTED, "backlog_full", result, delivery.attempt - 1, now)


def faulted(work: Work, delivery: Delivery, trace: str, now: Now) -> Step:
    """Return what an unexpected error of ours writes: a wait that grows, the trace in the result, no attempt used."""
    wait_ms = min(FAULT_FIRST_MS << min(delivery.faults, 20), FAULT_MOST_MS)
    return set_aside(work, delivery, Why.FAULT, now.ms + wait_ms, trace, now)


def set_aside(work: Work, delivery: Delivery, why: Why, due_at_ms: int, detail: str, now: Now) -> Step:
    """Return what a wait of our own making writes, told on results; it never makes a task due sooner than it was."""
    state = State.RETRYING if delivery.attempt > 1 else State.SCHEDULED
    # What cannot be written may be a wait: a task for tomorrow is not sent in five seconds because of that.
    due_at_ms = max(due_at_ms, delivery.due_at_ms)
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
        # A first pass that came from another lane has a generation of its own.
        generation = max(entry.generation, delivery.generation)
        ended = entry_for(work, delivery, State.CANCELLED, entry.attempt, now, generation, command=entry.command)
        return (result,), ended
    again = with_epoch(entry, work.owned.epoch) if entry is not None and entry.epoch != work.owned.epoch else None
    if verdict is not Currency.DUPLICATE:
        return (), again
    because = Because("duplicate", results.DECIDED_BY, reason="duplicate", detail="the id belongs to another request")
    return (results.without_attempt(delivery, Outcome.REJECTED, None, because, now.ms),), again


def commanded(work: Work, command: Command, answer: Applied | Conflict, entry: Entry | None, now: Now) -> ToldStep:
    """Return what a command sets going, the entry that makes it hold, and the answer."""
    if isinstance(answer, Conflict):
        because = Because("conflict", results.DECIDED_BY, reason="conflict", detail=answer.reason)
        generation = entry.generation if entry else 0
        return (), None, (results.of_command(command, generation, Outcome.CONTROL, None, because, now.ms),)
    if answer.delivery is None:
        return _cancelled(work, command, answer, entry, now)
    on = answer.delivery
    reason, detail = ("moved", f"to {on.lane}") if answer.moved else ("applied", f"by {command.by}")
    because = Because(command.verb, results.DECIDED_BY, reason=reason, due_at_ms=on.due_at_ms, detail=detail)
    result = results.of_command(command, answer.generation, Outcome.CONTROL, State.PENDING, because, now.ms, on)
    if answer.moved:
        # The old place ends the task before the new one can begin it (RULES 7).
        ended = entry_for(work, on, State.CANCELLED, 0, now, answer.generation, flags=MOVED)
        return (), None if answer.repeated else ended, (FirstPass(on), result)
    if answer.repeated:
        return (), None, (result,)
    laid, _ = lay(on, work.owned.number, now)
    return (laid,), entry_for(work, on, State.PENDING, 0, now), (result,)


def lay(delivery: Delivery, partition: int, now: Now) -> tuple[Held | Due, str | None]:
    """Return the delivery on the tier that fits its due time, or on ``due`` when it is due; and the tier's name."""
    hop: Hop | None = next_hop(now.tiers, now.ms, delivery.due_at_ms)
    if hop is None or hop.tier is None:
        return Due(delivery, partition), None
    return Held(delivery, hop.tier.name, hop.release_at_ms, partition), hop.tier.name


def in_hand(work: Work, delivery: Delivery, now: Now) -> Entry:
    """Return the entry that a task waiting in its lane would have: a command is judged by it."""
    state = State.RETRYING if delivery.attempt > 1 else State.PENDING
    return entry_for(work, delivery, state, delivery.attempt - 1, now)


def entry_for(
    work: Work,
    delivery: Delivery,
    state: State,
    attempt: int,
    now: Now,
    generation: int | None = None,
    *,
    flags: int = 0,
    command: int | None = None,
) -> Entry:
    """Return the entry that a delivery leaves behind; it knows the command that made its generation."""
    return Entry(
        generation=generation if generation is not None else delivery.generation,
        epoch=work.owned.epoch,
        attempt=attempt,
        state=state,
        flags=flags,
        updated_s=now.ms // 1000,
        due_s=delivery.due_at_ms // 1000,
        content=work.content,
        lane=now.lane_hash,
        request_partition=delivery.origin.partition,
        request_offset=delivery.origin.offset,
        command=command_mark(delivery.command_id) if command is None else command,
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
        command=entry.command,
    )


def _end(work: Work, delivery: Delivery, state: State, reason: str, result: ResultOf, attempt: int, now: Now) -> Step:
    entry = entry_for(work, delivery, state, attempt, now)
    if state is State.SUCCEEDED:
        return (result,), entry
    return (result, DeadLetterOf(delivery, reason, result, now.ms)), entry


def _cancelled(work: Work, command: Command, answer: Applied, entry: Entry | None, now: Now) -> ToldStep:
    reason = "not seen yet" if answer.pre_entry else "cancelled"
    because = Because("cancel", results.DECIDED_BY, reason=reason, detail=f"by {command.by}")
    outcome = Outcome.CONTROL if answer.pre_entry else Outcome.CANCELLED
    state = None if answer.pre_entry else State.CANCELLED
    result = results.of_command(command, answer.generation, outcome, state, because, now.ms)
    if answer.repeated:
        return (), None, (result,)
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
        command=command_mark(command.command_id),
    )
    return (), new, (result,)
