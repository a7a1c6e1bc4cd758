"""Which partitions are read on: control always, full ones never, and no others while CPU is short and enough is in hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faust.types import TP

from streamer.adapters.kafka.reading import Reading
from streamer.adapters.memory.lease import MemoryLease
from streamer.adapters.memory.meter import MemoryMeter
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.lane_book import LaneBook
from streamer.core.window import Window
from streamer.flow.owned import Owned

TOPICS = ("deliveries", "due", "claims", "control")
ACTIVE = {TP(topic, 0) for topic in TOPICS}
CONTROL = TP("control", 0)
#: More than may always be in hand.
MANY = 1_500


@pytest.fixture
def owned() -> Iterator[Owned]:
    """Return a partition that is owned."""
    claims = ClaimsOnDisk(":memory:")
    yield Owned(0, 1, MemoryTable(), claims, LaneBook(), MemoryLease())
    claims.close()


def windows(unfinished: int, bound: int = 20_000) -> dict[TP, Window]:
    """Return a window for each topic, that of deliveries with so much in hand."""
    made = {tp: Window(0, bound, 10**9) for tp in ACTIVE}
    made[TP("deliveries", 0)].take_many(0, [1] * unfinished)
    return made


def reading(share: float) -> tuple[Reading, MemoryMeter]:
    """Return one of a process that could run this share of the time, and what it counts."""
    meter = MemoryMeter()
    return Reading({topic: topic for topic in TOPICS}, lambda: share, meter), meter


def test_short_of_cpu_with_enough_in_hand_only_control_is_read(owned: Owned) -> None:
    """Who has more in hand than it can do reads on nothing but commands, and counts that."""
    reads, meter = reading(0.99)
    assert reads.withheld(ACTIVE, windows(MANY), {0: owned}) == ACTIVE - {CONTROL}
    assert meter.counted("reads_withheld") == 1


def test_short_of_cpu_with_little_in_hand_all_is_read(owned: Owned) -> None:
    """What is in hand may be less than the calls that go side by side: more is read."""
    reads, meter = reading(0.99)
    assert reads.withheld(ACTIVE, windows(500), {0: owned}) == set()
    assert meter.counted("reads_withheld") == 0


def test_with_cpu_to_spare_all_is_read(owned: Owned) -> None:
    """What waits for slow targets keeps nobody else from being read."""
    reads, _ = reading(0.5)
    assert reads.withheld(ACTIVE, windows(MANY), {0: owned}) == set()


def test_a_full_window_is_read_no_more(owned: Owned) -> None:
    """A partition with as much in hand as its window holds waits, alone."""
    reads, _ = reading(0.5)
    assert reads.withheld(ACTIVE, windows(MANY, bound=MANY), {0: owned}) == {TP("deliveries", 0)}


def test_what_is_decided_and_not_written_bounds_reading(owned: Owned) -> None:
    """A partition that decides faster than can be written is read on when it is less."""
    reads, _ = reading(0.5)
    owned.settling = 1_000
    assert reads.withheld(ACTIVE, windows(0), {0: owned}) == ACTIVE - {CONTROL}


def test_partitions_of_nobody_are_not_withheld() -> None:
    """The changelog, and what is not opened yet, is for others to decide about."""
    reads, _ = reading(0.99)
    assert reads.withheld({*ACTIVE, TP("changelog", 0)}, {}, {}) == set()
