"""Kafka as the simulation needs it: topics with partitions, committed offsets, a changelog that is compacted, one group."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from streamer.core.claims import ClaimEntry, pack_claim
from streamer.core.delivery import Delivery
from streamer.core.emit import Claim, Due, Emit, FirstPass, Held, LaneSignal
from streamer.core.entry import Entry, pack
from streamer.core.held import HeldRecord
from streamer.core.ladder import Tier, make_ladder
from streamer.core.lane_memory import LaneMemory, pack_lane
from streamer.core.partitioning import partition_of
from streamer.ports import Change
from streamer.wire.topics import CHANGELOG_UNTOUCHED_MS
from tests.simulation.storm.plan import PARTITIONS

#: Half of the default ladder: longer waits take several hops.
TIERS = make_ladder(
    Tier(name, seconds * 1_000) for name, seconds in (("5s", 5), ("15s", 15), ("45s", 45), ("2m", 120), ("10m", 600))
)
REQUESTS, CLAIMS, DELIVERIES, DUE, CONTROL = "requests", "claims", "deliveries", "due", "control"
TIER_NAMES = tuple(tier.name for tier in TIERS)
#: A changelog is compacted when it has grown to so many records and twice what it was after the last time, but not what was
#: written to it a short while ago.
_COMPACT_AT, _UNTOUCHED_MS = 2_000, CHANGELOG_UNTOUCHED_MS

Place = tuple[str, int]


def home_of(delivery: Delivery) -> int:
    """Return the partition of a delivery's lane."""
    return partition_of(delivery.lane, PARTITIONS, delivery.shard)


class Broker:
    """Keeps what was written. ``appended`` is told of each record, ``landed`` of each emit."""

    def __init__(self, now_ms: Callable[[], float]) -> None:
        self.logs: dict[Place, list[Any]] = defaultdict(list)
        self.committed: dict[Place, int] = defaultdict(int)
        self.changelog: list[list[tuple[int, bytes, bytes | None]]] = [[] for _ in range(PARTITIONS)]
        self.next_change = [0] * PARTITIONS
        self.appended: Callable[[str, int], None] = lambda topic, partition: None
        self._now_ms = now_ms
        #: When each record of a changelog was written.
        self._written_ms: list[list[float]] = [[] for _ in range(PARTITIONS)]
        self._compact_at = [_COMPACT_AT] * PARTITIONS

    def append(self, topic: str, partition: int, record: Any) -> None:
        """Append a record to a partition."""
        self.logs[topic, partition].append(record)
        self.appended(topic, partition)

    def hold(self, tier: str, partition: int, delivery: Delivery, release_at_ms: int, due_at_ms: int) -> None:
        """Lay a delivery on a tier."""
        offset = len(self.logs[tier, partition])
        self.append(tier, partition, HeldRecord(offset, release_at_ms, due_at_ms, 500, delivery))

    def lay(self, emit: Emit) -> None:
        """Append what an emit becomes; results and figures are nobody's input here."""
        if isinstance(emit, FirstPass):
            self.append(DELIVERIES, home_of(emit.delivery), emit.delivery)
        elif isinstance(emit, Held):
            partition = home_of(emit.delivery) if emit.partition is None else emit.partition
            self.hold(emit.tier, partition, emit.delivery, emit.release_at_ms, emit.delivery.due_at_ms)
        elif isinstance(emit, Due):
            partition = home_of(emit.delivery) if emit.partition is None else emit.partition
            self.append(DUE, partition, emit.delivery)
        elif isinstance(emit, Claim):
            self.append(CLAIMS, emit.key[0] % PARTITIONS, emit.delivery)
        elif isinstance(emit, LaneSignal):
            self.append(CONTROL, emit.partition, emit)

    def log(self, change: Change) -> int:
        """Append a change to its partition's changelog; return its offset."""
        number, key, value = change
        packed: bytes | None
        if isinstance(value, Entry):
            packed = pack(value)
        elif isinstance(value, LaneMemory):
            packed = pack_lane(value)
        else:
            packed = pack_claim(value) if isinstance(value, ClaimEntry) else None
        offset = self.next_change[number]
        self.next_change[number] = offset + 1
        self.changelog[number].append((offset, key, packed))
        self._written_ms[number].append(self._now_ms())
        return offset

    def changes(self, number: int, after: int) -> list[tuple[int, bytes, bytes | None]]:
        """Return a changelog from behind an offset; sometimes it is compacted first, as Kafka does at any time."""
        log = self.changelog[number]
        if len(log) >= self._compact_at[number]:
            log = self.changelog[number] = self._compacted(number)
            self._compact_at[number] = max(_COMPACT_AT, 2 * len(log))
        return [each for each in log if each[0] > after]

    def _compacted(self, number: int) -> list[tuple[int, bytes, bytes | None]]:
        log, written_ms = self.changelog[number], self._written_ms[number]
        old = bisect_left(written_ms, self._now_ms() - _UNTOUCHED_MS)
        last = {key: offset for offset, key, _ in log[:old]}
        kept = [place for place, each in enumerate(log[:old]) if last[each[1]] == each[0] and each[2] is not None]
        self._written_ms[number] = [*(written_ms[place] for place in kept), *written_ms[old:]]
        return [*(log[place] for place in kept), *log[old:]]
