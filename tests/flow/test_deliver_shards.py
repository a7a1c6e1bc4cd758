"""Shards of one domain on two partitions: what one learns of the target, the other obeys (RULES 23)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from streamer.adapters.memory.sender import Reply
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery, Why
from streamer.core.emit import Held, LaneSignal
from streamer.core.lane_book import LaneBook
from streamer.core.lane_memory import LaneMemory, lane_digest
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.partitioning import partition_of
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.window import Window
from streamer.flow.deliver import DeliverLimits
from streamer.flow.lane_keeper import STATE_MS
from streamer.flow.owned import Batch, Item, Owned
from tests.core.samples import NOW_MS
from tests.flow.desk import Desk, a_desk, task

DOMAIN = "receiver.example"
#: The shard that lives on the desk's own partition, 0, and the one that lives on the other.
HERE = next(shard for shard in range(2) if partition_of(DOMAIN, 2, shard) == 0)
THERE = 1 - HERE


class Pair:
    """A desk, and a second partition of the same worker."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.other = Owned(1, 1, MemoryTable(), ClaimsOnDisk(":memory:"), LaneBook(), desk.lease)
        self._windows = {source: Window(0, 1_000, 1 << 20) for source in ("deliveries", "control")}

    async def give_there(self, *items: Item, source: str = "deliveries") -> None:
        """Let deliver read records of the second partition."""
        window = self._windows[source]
        records = [(window.next_offset + at, 100, item) for at, item in enumerate(items)]
        self.desk.deliver.accept(Batch(source, 1, window, records), self.other)
        await self.desk.clock.settle()

    @property
    def signals(self) -> Sequence[LaneSignal]:
        return self.desk.outbox.of(LaneSignal)

    def here(self, count: int, first: int = 0) -> list[Delivery]:
        return [task(f"here_{number}", shard=HERE) for number in range(first, first + count)]

    def there(self, count: int, first: int = 0) -> list[Delivery]:
        return [task(f"there_{number}", shard=THERE) for number in range(first, first + count)]


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    policies = PolicyBook(domains={DOMAIN: Policy(shards=2, concurrency=10)}, partitions=2)
    async with a_desk(DeliverLimits(partitions=2), policies) as desk:
        both = Pair(desk)
        yield both
        desk.deliver.give_up(both.other)


async def test_shards_have_lanes_of_their_own_with_a_share_of_the_limits(pair: Pair) -> None:
    """Half of the domain's concurrency each, on the partition of each."""
    pair.desk.respond = lambda _: Reply(delay_ms=1_000)
    await pair.desk.give(*pair.here(8))
    await pair.give_there(*pair.there(2))
    assert [sent.delivery.task_id[:4] for sent in pair.desk.sender.sent].count("here") == 5
    assert sorted(lane.key for lane in pair.desk.deliver.gate.lanes) == [DOMAIN, f"{DOMAIN}#1"]


async def test_an_opened_breaker_is_told_to_the_other_shard_and_opens_it(pair: Pair) -> None:
    """The signal goes to the other's partition of control; there nothing is sent until the first one's probe is due."""
    pair.desk.respond = lambda _: Reply(Failure(ErrorType.READ_TIMEOUT, "late"))
    await pair.desk.give(*pair.here(5))
    await pair.desk.clock.advance(STATE_MS)
    [signal] = pair.signals
    assert signal == LaneSignal(DOMAIN, THERE, 1, 0, NOW_MS + 10_000, NOW_MS + STATE_MS)
    await pair.give_there(signal, source="control")
    calls = len(pair.desk.sent)
    await pair.give_there(*pair.there(3))
    assert len(pair.desk.sent) == calls
    held = [emit for emit in pair.desk.outbox.of(Held) if emit.delivery.task_id.startswith("there")]
    assert {(emit.delivery.why, emit.partition) for emit in held} == {(Why.BREAKER, 1)}
    await pair.desk.clock.advance(9_000)
    assert len(pair.signals) == 1, "what was learned by a signal is told to nobody"


async def test_a_retry_after_is_told_too(pair: Pair) -> None:
    """The receiver means all of the domain, whatever the shard that asked."""
    pair.desk.sender.script(DOMAIN, Reply(Response(429, (("Retry-After", "60"),))), Reply())
    await pair.give_there(*pair.there(1))
    await pair.desk.clock.advance(STATE_MS)
    [signal] = pair.signals
    assert (signal.shard, signal.partition, signal.paused_until_ms) == (HERE, 0, NOW_MS + 60_000)
    await pair.desk.give(signal, source="control")
    await pair.desk.give(*pair.here(1))
    assert len(pair.desk.sent) == 1
    assert pair.desk.held[-1].delivery.why is Why.RETRY_AFTER
    assert pair.desk.unfinished == 0, "the signal's offset is finished"


async def test_what_a_shard_was_told_survives_its_worker(pair: Pair) -> None:
    """The signal is read once; what follows from it stands in the shard's own changelog."""
    signal = LaneSignal(DOMAIN, THERE, 1, NOW_MS + 60_000, NOW_MS + 30_000, NOW_MS)
    await pair.give_there(signal, source="control")
    await pair.desk.clock.advance(STATE_MS)
    key = lane_digest(f"{DOMAIN}#1" if THERE else DOMAIN)
    [(number, memory)] = [(number, value) for number, at, value in pair.desk.outbox.changelog if at == key]
    assert isinstance(memory, LaneMemory)
    assert (number, memory.paused_until_ms, memory.open_until_ms) == (1, NOW_MS + 60_000, NOW_MS + 30_000)


async def test_a_signal_that_could_not_be_written_is_told_later(pair: Pair) -> None:
    """A broker that is away for a moment must not leave the other shard hammering."""
    pair.desk.respond = lambda _: Reply(Failure(ErrorType.READ_TIMEOUT, "late"))
    await pair.desk.give(*pair.here(5))
    pair.desk.outbox.fail("publish", OSError("away"))
    await pair.desk.clock.advance(STATE_MS)
    assert pair.signals == []
    await pair.desk.clock.advance(2 * STATE_MS)
    assert len(pair.signals) == 1


async def test_a_domain_without_shards_tells_nobody(desk: Desk) -> None:
    """There is nobody to tell."""
    desk.respond = lambda _: Reply(Failure(ErrorType.READ_TIMEOUT, "late"))
    await desk.give(*[task(f"tsk_{number}") for number in range(5)])
    await desk.clock.advance(5_000)
    assert desk.outbox.of(LaneSignal) == []


async def test_a_command_that_stands_in_another_partition_than_its_task_is_refused(pair: Pair) -> None:
    """Here nothing is known of the task: it would be made a second time."""
    [delivery] = pair.there(1)
    command = Command("cmd_1", Verb.RUN_NOW, delivery.task_id, DOMAIN, 1, delivery, "ops", NOW_MS)
    await pair.desk.give(command, source="control")
    [answer] = [result for result in pair.desk.results if result.command_id == "cmd_1"]
    assert (answer.because.reason, answer.state) == ("conflict", None)
    assert "partition 1" in (answer.because.detail or "")
    assert (pair.desk.sent, pair.desk.unfinished) == ([], 0)
