"""Claims: who comes first has the id; what is written, in which order, and what the others are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from streamer.adapters.memory.clock import VirtualClock
from streamer.adapters.memory.lease import MemoryLease
from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.memory.outbox import ALL, Kind, MemoryOutbox, Trouble
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.claims import ClaimEntry
from streamer.core.delivery import Delivery, trace_id_of
from streamer.core.emit import Emit, FirstPass, ResultOf, UnreadableOf
from streamer.core.identity import claim_key
from streamer.core.lane_book import LaneBook
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.window import Window
from streamer.flow.claim import KEY_PREFIX, ClaimLimits, ClaimStage
from streamer.flow.owned import Batch, Item, Owned
from streamer.ports import Abandoned, Change
from tests.core.samples import NOW_MS
from tests.flow.desk import task

UNIQUE_FOR_S = 7_200


class Counter:
    """The claim stage with one partition, and everything around it in memory."""

    def __init__(self) -> None:
        self.clock, self.outbox, self.meter = VirtualClock(NOW_MS), MemoryOutbox(), MemoryMeter()
        self.lease, self.claims = MemoryLease(), ClaimsOnDisk(":memory:")
        self.window = Window(0, 1_000, 1 << 20)
        self.owned = Owned(0, 1, MemoryTable(), self.claims, LaneBook(), self.lease)
        self.stage = ClaimStage(self.clock, self.outbox, self.meter, ClaimLimits(UNIQUE_FOR_S, per_business=3))
        self.running = asyncio.create_task(self.stage.run())

    async def give(self, *items: Item) -> None:
        first = self.window.next_offset
        records = [(first + at, 100, item) for at, item in enumerate(items)]
        self.stage.accept(Batch("claims", 0, self.window, records), self.owned)
        await self.clock.settle()

    @property
    def through(self) -> list[int]:
        """The request offsets of what was let through."""
        return [emit.delivery.origin.offset for emit in self.outbox.of(FirstPass)]

    @property
    def results(self) -> list[ResultOf]:
        return self.outbox.of(ResultOf)


@pytest.fixture
async def counter() -> AsyncIterator[Counter]:
    counter = Counter()
    yield counter
    counter.running.cancel()
    with suppress(asyncio.CancelledError):
        await counter.running
    counter.claims.close()


def named(business_id: str = "order-1", offset: int = 1, **changed: Any) -> Delivery:
    """Return a task with an id of its business's own, from the request record at an offset."""
    return replace(task(f"tsk_{business_id}", offset=offset, **changed), business_id=business_id)


async def test_first_is_let_through_then_claimed_then_done(counter: Counter) -> None:
    """RULES 12: publish, then claim, then finish."""
    counter.outbox.block("publish")
    await counter.give(named())
    assert (counter.through, counter.outbox.changelog, counter.window.unfinished) == ([1], [], 1)
    counter.outbox.unblock("publish")
    counter.outbox.block("log")
    await counter.clock.settle()
    key = claim_key("acme", "order-1", "tsk_order-1")
    assert [change[1] for change in counter.outbox.changelog] == [KEY_PREFIX + key]
    assert (counter.claims.get(key), counter.window.unfinished) == (None, 1)
    counter.outbox.unblock("log")
    await counter.clock.settle()
    assert isinstance(counter.claims.get(key), ClaimEntry)
    assert (counter.window.unfinished, counter.meter.counted("claims", "first")) == (0, 1)


async def test_second_record_with_the_id_is_answered_and_not_let_through(counter: Counter) -> None:
    """A duplicate is told by whether it asks for the same; the first one's task goes on untouched."""
    await counter.give(named(), named(offset=2))
    await counter.give(named(offset=3, body=b"other"))
    assert counter.through == [1]
    assert [(result.outcome, result.state) for result in counter.results] == [(Outcome.DUPLICATE, None)] * 2
    details = [result.because.detail or "" for result in counter.results]
    assert ["the same request" in detail for detail in details] == [True, False]
    assert [result.origin.offset for result in counter.results if result.origin] == [2, 3]
    assert counter.window.unfinished == 0


async def test_same_record_again_is_let_through_again_for_a_while(counter: Counter) -> None:
    """RULES 12: after a crash the claimant's own coordinates pass; much later its task may be forgotten, and they do not."""
    await counter.give(named())
    await counter.clock.advance(1_799_000)
    await counter.give(named())
    await counter.clock.advance(1_000)
    await counter.give(named())
    assert (counter.through, counter.results, counter.window.unfinished) == ([1, 1], [], 0)
    assert counter.meter.counted("claims", "already_through") == 1


async def test_business_that_holds_too_many_ids_is_told(counter: Counter) -> None:
    """RULES 12: claims are capped per business, and the answer is the task's end."""
    for number in range(3):
        await counter.give(named(f"order-{number}", offset=number))
    await counter.give(named("one-too-many", offset=9), replace(named("other", offset=10), business="globex"))
    assert counter.through == [0, 1, 2, 10]
    [refused] = counter.results
    assert (refused.outcome, refused.state, refused.because.reason) == (Outcome.REJECTED, State.REJECTED, "quota")


async def test_claim_is_free_again_once_it_has_outlived_its_time(counter: Counter) -> None:
    """``unique_for`` after its claim an id may be used by another record, swept or not."""
    await counter.give(named())
    await counter.clock.advance(UNIQUE_FOR_S * 1_000)
    await counter.give(named(offset=2))
    assert (counter.through, counter.results) == ([1, 2], [])


async def test_old_claims_are_forgotten_with_tombstones_first(counter: Counter) -> None:
    """A claim leaves the disk after its tombstone is acknowledged, not before its time, and not without the lease."""
    await counter.give(named())
    key = claim_key("acme", "order-1", "tsk_order-1")
    await counter.clock.advance(UNIQUE_FOR_S * 1_000)
    assert await counter.stage.forget_old(counter.owned) == 0
    await counter.clock.advance(1_000)
    counter.lease.lose()
    await counter.stage.forget_old(counter.owned)
    assert counter.claims.get(key) is not None
    counter.lease.renew()
    counter.outbox.fail("log", Abandoned())
    with pytest.raises(Abandoned):
        await counter.stage.forget_old(counter.owned)
    assert counter.claims.get(key) is not None
    assert await counter.stage.forget_old(counter.owned) == 1
    assert (counter.claims.get(key), counter.outbox.changelog[-1]) == (None, (0, KEY_PREFIX + key, None))
    assert counter.claims.held_by(counter.outbox.changelog[0][2].business) == 0  # type: ignore[union-attr]


async def test_unreadable_claim_becomes_a_dead_letter(counter: Counter) -> None:
    """What cannot be read is kept whole, and its partition goes on."""
    letter = UnreadableOf("claims", 0, 0, NOW_MS, None, b"{", (), None, "not JSON", NOW_MS)
    await counter.give(letter, named())
    assert letter in counter.outbox.published
    assert (counter.through, counter.window.unfinished) == ([1], 0)


async def test_record_that_cannot_be_handled_holds_up_no_other_and_is_tried_again(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    """RULES 14: the group's others are written at once, the bad one every five seconds until it can be."""
    broken = True

    def trouble(kind: Kind, items: Sequence[Emit] | Sequence[Change]) -> Trouble | None:
        bad = any(isinstance(item, FirstPass) and item.delivery.business_id == "bad" for item in items)
        return Trouble(RuntimeError("a bug of ours")) if broken and bad else None

    counter.outbox.trouble = trouble
    await counter.give(named("good-1", 1), named("bad", 2), named("good-2", 3))
    assert (counter.through, counter.window.unfinished, counter.meter.counted("faults")) == ([1, 3], 1, 1)
    (told,) = (vars(record)["fields"] for record in caplog.records)
    assert (told["task_id"], told["trace_id"]) == ("tsk_bad", trace_id_of(named("bad")))
    await counter.clock.advance(5_000)
    assert (counter.window.unfinished, counter.meter.counted("faults")) == (1, 2)
    broken = False
    await counter.clock.advance(5_000)
    assert (counter.through, counter.window.unfinished) == ([1, 3, 2], 0)


async def test_id_stays_with_its_first_while_the_claim_cannot_be_written(counter: Counter) -> None:
    """RULES 12: let through, and the claim's own write fails: who comes meanwhile is a duplicate, not a second first."""
    counter.outbox.fail("log", RuntimeError("a bug of ours"))
    await counter.give(named())
    assert (counter.through, counter.outbox.changelog) == ([1], [])
    await counter.give(named(offset=2))
    assert ([result.outcome for result in counter.results], counter.through) == ([Outcome.DUPLICATE], [1])
    await counter.clock.advance(5_000)
    assert (counter.through, len(counter.outbox.changelog), counter.window.unfinished) == ([1, 1], 1, 0)
    await counter.give(named(offset=3))
    assert (len(counter.results), counter.through) == (2, [1, 1])


async def test_crash_between_the_passage_and_the_claim_lets_the_same_record_through_again(counter: Counter) -> None:
    """RULES 12: the repeat is harmless, since deliver knows its coordinates; another record would still be a duplicate."""
    counter.outbox.fail("publish", Abandoned(), landed=ALL)
    await counter.give(named())
    assert (counter.through, counter.outbox.changelog, counter.window.unfinished) == ([1], [], 1)
    counter.stage.give_up(counter.owned)
    counter.owned.close()
    counter.owned = Owned(0, 2, MemoryTable(), counter.claims, LaneBook(), counter.lease)
    counter.window = Window(0, 1_000, 1 << 20)
    await counter.give(named(), named(offset=2))
    assert (counter.through, len(counter.results), counter.window.unfinished) == ([1, 1], 1, 0)


async def test_nothing_is_written_for_a_partition_that_is_gone(counter: Counter) -> None:
    """RULES 4: queued claims of a revoked partition are forgotten, and without the lease nothing is written."""
    counter.lease.lose()
    await counter.give(named())
    assert (counter.outbox.published, counter.window.unfinished) == ([], 1)
    counter.lease.renew()
    counter.outbox.block("publish")
    await counter.give(named("order-2", 2))
    await counter.give(named("order-3", 3))
    counter.stage.give_up(counter.owned)
    counter.owned.close()
    counter.outbox.unblock("publish")
    await counter.clock.settle()
    assert (counter.through, counter.window.unfinished) == ([2], 3)


async def test_drain_waits_for_the_group_in_hand(counter: Counter) -> None:
    """RULES 10: a drain settles what is being written, and gives up at its deadline."""
    counter.stage.resume()
    assert await counter.stage.drain(1_000)
    counter.outbox.block("log")
    await counter.give(named())
    assert not await counter.stage.drain(20)
    counter.outbox.unblock("log")
    assert await counter.stage.drain(1_000)
    assert counter.window.drained
    await counter.give()


async def test_record_taken_before_is_not_judged_again(counter: Counter) -> None:
    """RULES 3: a batch read twice is handed out once."""
    batch = Batch("claims", 0, counter.window, [(0, 100, named())])
    counter.stage.accept(batch, counter.owned)
    counter.stage.accept(batch, counter.owned)
    await counter.clock.settle()
    assert counter.through == [1]
