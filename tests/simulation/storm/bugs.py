"""Bugs planted by hand, one at least for each rule: a check that finds none of them proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.claims import ClaimEntry
from streamer.core.delivery import Delivery, Why
from streamer.core.emit import Because, DeadLetterOf, Emit, Held, ResultOf
from streamer.core.entry import Entry
from streamer.core.identity import task_digest
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Outcome, Response
from streamer.core.policy import BreakerPolicy, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.window import Window
from streamer.ports import Change, Claims, Clock, Lease, Outbox, Sender
from tests.simulation.storm.plant import Plant
from tests.simulation.storm.rules import Rule

if TYPE_CHECKING:
    from tests.simulation.storm.process import Process

Rewrite = Callable[[Sequence[Emit]], Sequence[Emit]]


@dataclass
class _Outbox:
    """Changes what is published on its way to the broker, or what is logged."""

    outbox: Outbox
    publish_as: Rewrite = lambda emits: emits
    log_as: Callable[[Sequence[Change]], Sequence[Change]] = lambda changes: changes

    async def publish(self, emits: Sequence[Emit]) -> None:
        await self.outbox.publish(self.publish_as(emits))

    async def log(self, changes: Sequence[Change]) -> None:
        await self.outbox.log(self.log_as(changes))


@dataclass
class _Sender:
    """Changes what deliver gets to see of an answer."""

    sender: Sender
    answer_as: Callable[[Response], Response]

    async def send(self, delivery: Delivery) -> Exchange:
        exchange = await self.sender.send(delivery)
        end = self.answer_as(exchange.end) if isinstance(exchange.end, Response) else exchange.end
        return replace(exchange, end=end)

    async def close(self) -> None:
        await self.sender.close()


class DroppedRetry(Plant):
    """The outbox loses every fifth wait."""

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        count = 0

        def dropped(emits: Sequence[Emit]) -> Sequence[Emit]:
            nonlocal count
            kept = []
            for emit in emits:
                count += isinstance(emit, Held)
                if not isinstance(emit, Held) or count % 5:
                    kept.append(emit)
            return kept

        return _Outbox(outbox, dropped)


class HungCall(Plant):
    """Each fifteenth call has no deadline, and its target never answers."""

    longest_ms = 3_600_000

    def sender(self, sender: Sender, process: Process) -> Sender:
        return _Hanging(sender, process)


@dataclass
class _Hanging:
    sender: Sender
    process: Process
    calls: int = 0

    async def send(self, delivery: Delivery) -> Exchange:
        self.calls += 1
        if self.calls % 15 == 0:
            await self.process.gone()
        return await self.sender.send(delivery)

    async def close(self) -> None:
        await self.sender.close()


class StateFirst(Plant):
    """Publishing is told as done at once, and done a little later: the state comes first."""

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        return _Hasty(outbox, process)


@dataclass
class _Hasty:
    outbox: Outbox
    process: Process

    async def publish(self, emits: Sequence[Emit]) -> None:
        self.process.world.loop.create_task(self._later(emits))

    async def _later(self, emits: Sequence[Emit]) -> None:
        await self.process.world.clock.sleep_ms(40)
        await self.outbox.publish(emits)

    async def log(self, changes: Sequence[Change]) -> None:
        await self.outbox.log(changes)


class CommitsAll(Plant):
    """The window commits past what is not finished."""

    def window(self, start: int, max_unfinished: int, max_bytes: int) -> Window:
        return _Eager(start, max_unfinished, max_bytes)


class _Eager(Window):
    __slots__ = ()

    @property
    def committable(self) -> int:
        return self.next_offset


class CommitsBack(Plant):
    """Now and then the window goes back by one."""

    def window(self, start: int, max_unfinished: int, max_bytes: int) -> Window:
        return _Shaky(start, max_unfinished, max_bytes)


class _Shaky(Window):
    """Every fifth time that it is asked it says less than it knows."""

    asked = 0

    @property
    def committable(self) -> int:
        self.asked += 1
        return max(self._start, super().committable - (self.asked % 5 == 0))


class ForgetsEnds(Plant):
    """The table forgets a task when it ends, so that each copy of its first record is its first again."""

    def table(self) -> MemoryTable:
        return _ForgettingTable()


class _ForgettingTable(MemoryTable):
    def put(self, digest: bytes, entry: Entry) -> None:
        super().put(digest, entry)
        if entry.terminal:
            self.forget(digest)


class CountsBack(Plant):
    """From the second failure on the entry says that none has been."""

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        def back(changes: Sequence[Change]) -> Sequence[Change]:
            return [
                (number, key, replace(value, attempt=0) if isinstance(value, Entry) and value.attempt > 1 else value)
                for number, key, value in changes
            ]

        return _Outbox(outbox, log_as=back)


class NoLimits(Plant):
    """Lanes go by policies without rates."""

    def book(self, book: PolicyBook) -> PolicyBook:
        silent = {name: Policy(shards=policy.shards) for name, policy in book.domains.items()}
        return PolicyBook(domains=silent, settings=book.settings, partitions=book.partitions)


class NoCap(Plant):
    """Lanes go by policies without a cap on calls at once."""

    def book(self, book: PolicyBook) -> PolicyBook:
        settings = Policy(concurrency=200, breaker=book.settings.breaker)
        domains = {
            name: Policy(policy.rate, policy.burst, shards=policy.shards) for name, policy in book.domains.items()
        }
        return PolicyBook(domains=domains, settings=settings, partitions=book.partitions)


class NoBreaker(Plant):
    """Lanes go by a breaker that opens after a million failures."""

    def book(self, book: PolicyBook) -> PolicyBook:
        never = BreakerPolicy(1_000_000, 1_000_000, least_calls=1_000_000)
        settings = Policy(concurrency=book.settings.concurrency, breaker=never)
        return PolicyBook(domains=book.domains, settings=settings, partitions=book.partitions)


class DeafToPauses(Plant):
    """A 429 comes without its Retry-After."""

    def sender(self, sender: Sender, process: Process) -> Sender:
        return _Sender(sender, lambda answer: replace(answer, headers=()))


class FastClock(Plant):
    """Deliver's wall clock is three seconds ahead."""

    def clock(self, clock: Clock) -> Clock:
        return _Ahead(clock)


@dataclass
class _Ahead:
    clock: Clock

    def now_ms(self) -> int:
        return self.clock.now_ms() + 3_000

    def monotonic_ms(self) -> float:
        return self.clock.monotonic_ms()

    async def sleep_ms(self, delay_ms: float) -> None:
        await self.clock.sleep_ms(delay_ms)


class SlowClock(_Ahead):
    """A wall clock that is ten seconds behind."""

    def now_ms(self) -> int:
        return self.clock.now_ms() - 10_000


class LateExpiry(Plant):
    """Deliver's wall clock is ten seconds behind."""

    def clock(self, clock: Clock) -> Clock:
        return SlowClock(clock)


class RosySender(Plant):
    """A 503 is read as a 200."""

    def sender(self, sender: Sender, process: Process) -> Sender:
        return _Sender(sender, lambda answer: Response(200) if answer.status == 503 else answer)


class GloomySender(Plant):
    """Every 200 is read as a 410."""

    def sender(self, sender: Sender, process: Process) -> Sender:
        return _Sender(sender, lambda answer: Response(410) if answer.status == 200 else answer)


class FaultKills(Plant):
    """What is set aside for a fault of ours becomes a dead letter."""

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        def buried(emits: Sequence[Emit]) -> Sequence[Emit]:
            return [
                _buried(emit) if isinstance(emit, Held) and emit.delivery.why is Why.FAULT else emit for emit in emits
            ]

        return _Outbox(outbox, buried)


def _buried(held: Held) -> DeadLetterOf:
    on = held.delivery
    because = Because("fault", "deliver", reason="fault")
    last = ResultOf(
        on.task_id, on.business, None, on.generation, on.attempt, Outcome.NETWORK_ERROR, None, State.FAILED, because, 0
    )
    return DeadLetterOf(on, "fault", last, 0)


class WaitCounts(Plant):
    """A wait that a limit asks for uses up an attempt, in the record, in the entry and in the table."""

    def __init__(self) -> None:
        self.counted: set[bytes] = set()

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        return _Outbox(outbox, lambda emits: [self._emit(emit) for emit in emits], self._changes)

    def table(self) -> MemoryTable:
        return _CountingTable(self)

    def _emit(self, emit: Emit) -> Emit:
        if not isinstance(emit, Held) or emit.delivery.why not in (Why.RATE, Why.BREAKER, Why.LANE_FULL):
            return emit
        self.counted.add(task_digest(emit.delivery.task_id))
        return replace(emit, delivery=replace(emit.delivery, attempt=emit.delivery.attempt + 1))

    def _changes(self, changes: Sequence[Change]) -> Sequence[Change]:
        return [
            (number, key, self.entry(key, value) if isinstance(value, Entry) else value)
            for number, key, value in changes
        ]

    def entry(self, key: bytes, entry: Entry) -> Entry:
        """Return what the entry is written as."""
        return replace(entry, attempt=entry.attempt + 1) if key in self.counted and not entry.terminal else entry


class _CountingTable(MemoryTable):
    def __init__(self, bug: WaitCounts) -> None:
        super().__init__()
        self._bug = bug

    def put(self, digest: bytes, entry: Entry) -> None:
        super().put(digest, self._bug.entry(digest, entry))
        self._bug.counted.discard(digest)


class FalseExhaustion(Plant):
    """The first failure is told as the last."""

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        def ended(emits: Sequence[Emit]) -> Sequence[Emit]:
            return [_exhausted(emit) if _is_retry(emit) else emit for emit in emits]

        return _Outbox(outbox, ended)


def _is_retry(emit: Emit) -> bool:
    return isinstance(emit, ResultOf) and emit.state is State.RETRYING and emit.exchange is not None


def _exhausted(emit: Emit) -> Emit:
    assert isinstance(emit, ResultOf)
    return replace(emit, state=State.FAILED, because=Because("default", "deliver", reason="exhausted"))


class SecondEnd(Plant):
    """Each end is told a second time, as expired."""

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        def told_again(emits: Sequence[Emit]) -> Sequence[Emit]:
            ends = [emit for emit in emits if isinstance(emit, ResultOf) and emit.state is State.SUCCEEDED]
            return [*emits, *(replace(end, state=State.CANCELLED) for end in ends)]

        return _Outbox(outbox, told_again)


class MuteOperator(Plant):
    """Answers to commands are lost."""

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        def muted(emits: Sequence[Emit]) -> Sequence[Emit]:
            return [emit for emit in emits if not (isinstance(emit, ResultOf) and emit.command_id and not emit.attempt)]

        return _Outbox(outbox, muted)


class NoClaims(Plant):
    """Nobody remembers who claimed an id."""

    def claims(self, claims: Claims) -> Claims:
        return _Blank(claims)


@dataclass
class _Blank:
    claims: Claims

    def get(self, key: bytes) -> ClaimEntry | None:
        return None

    def put_many(self, claims: Sequence[tuple[bytes, ClaimEntry]]) -> None:
        self.claims.put_many(claims)

    def forget_many(self, keys: Sequence[bytes]) -> None:
        self.claims.forget_many(keys)

    def held_by(self, business: bytes) -> int:
        return self.claims.held_by(business)

    def older_than(self, claimed_s: int, limit: int) -> Sequence[bytes]:
        return self.claims.older_than(claimed_s, limit)


class Zombie(Plant):
    """A worker whose heartbeats stop goes on."""

    notices_ms = 9_000

    def lease(self, lease: Lease) -> Lease:
        return _AlwaysHeld()


class _AlwaysHeld:
    def held(self) -> bool:
        return True


class SentTwice(Plant):
    """The sender makes each tenth call twice, to be sure."""

    def sender(self, sender: Sender, process: Process) -> Sender:
        return _Doubling(sender)


@dataclass
class _Doubling:
    sender: Sender
    calls: int = 0

    async def send(self, delivery: Delivery) -> Exchange:
        self.calls += 1
        if self.calls % 10 == 0:
            first, _ = await asyncio.gather(self.sender.send(delivery), self.sender.send(delivery))
            return first
        return await self.sender.send(delivery)

    async def close(self) -> None:
        await self.sender.close()


class SweepsAll(Plant):
    """Entries are forgotten when their task ends: a tombstone follows each."""

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        def forgotten(changes: Sequence[Change]) -> Sequence[Change]:
            ends = [change for change in changes if isinstance(change[2], Entry) and change[2].terminal]
            return [*changes, *((number, key, None) for number, key, _ in ends)]

        return _Outbox(outbox, log_as=forgotten)


#: Each bug with the rule that must find it.
BUGS: tuple[tuple[type[Plant], Rule], ...] = (
    (HungCall, Rule.LOST),
    (DroppedRetry, Rule.STATE_FIRST),
    (StateFirst, Rule.STATE_FIRST),
    (CommitsAll, Rule.OFFSET_OVERRUN),
    (CommitsBack, Rule.OFFSET_BACK),
    (ForgetsEnds, Rule.AFTER_END),
    (CountsBack, Rule.ATTEMPT_BACK),
    (NoLimits, Rule.RATE),
    (NoCap, Rule.CROWDED),
    (NoBreaker, Rule.BREAKER),
    (DeafToPauses, Rule.PAUSE),
    (FastClock, Rule.EARLY),
    (LateExpiry, Rule.EXPIRED_SENT),
    (RosySender, Rule.PHANTOM_SUCCESS),
    (GloomySender, Rule.HIDDEN_SUCCESS),
    (FaultKills, Rule.OUR_FAULT),
    (WaitCounts, Rule.ATTEMPT_SKIPPED),
    (FalseExhaustion, Rule.WAIT_COUNTED),
    (SecondEnd, Rule.DOUBLE_END),
    (MuteOperator, Rule.UNANSWERED),
    (NoClaims, Rule.TWO_TASKS),
    (Zombie, Rule.NOT_OWNER),
    (SentTwice, Rule.SENT_TWICE),
    (SweepsAll, Rule.FORGOTTEN),
)
