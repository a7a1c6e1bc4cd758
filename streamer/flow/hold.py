"""Hold: keeps what waits on the tiers until its time, then lays it on ``due`` or on the next smaller tier. Stateless."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from streamer.core.held import HeldPartition, HeldRecord
from streamer.core.ladder import Tier, look_ahead_ms, next_hop
from streamer.ports import Clock, Meter

#: How long a round waits at most when nothing is due sooner.
ROUND_MS = 50
#: No more of one partition is released in one round: what comes at once must not hold up what is due.
RELEASE_AT_ONCE = 100
#: After a release hold rests: what falls due meanwhile leaves together, and costs deliver one turn. Thousands that were put
#: off in one second come back in one, and in between those have a turn that are to be sent now.
REST_MS = 25

Place = tuple[str, int]
"""A partition of a tier: the tier's name, and the number."""


class Relay(Struct, frozen=True, gc=False):
    """A record to be written on: to a tier, or to ``due`` when there is none, in the partition it came from."""

    record: HeldRecord
    partition: int
    tier: str | None
    release_at_ms: int


class TierLog(Protocol):
    """The tiers as hold reads and writes them."""

    def places(self) -> Collection[Place]:
        """Return the partitions that are ours now."""

    async def read(self, wanted: Collection[Place], timeout_ms: int) -> Sequence[tuple[Place, HeldRecord]]:
        """Read on in the wanted partitions; the others stay paused."""

    async def write(self, relays: Sequence[Relay]) -> None:
        """Write records on, acknowledged."""

    def finish(self, place: Place, offset: int) -> None:
        """Mark a record done."""

    def crowded(self, partition: int) -> bool:
        """Tell whether deliver is far behind on a partition of ``due`` (RULES 20)."""


class Hold:
    """One consumer for all tiers; each partition is read on only while its next release may be near."""

    def __init__(self, log: TierLog, clock: Clock, meter: Meter, tiers: Sequence[Tier]) -> None:
        self._log = log
        self._clock = clock
        self._meter = meter
        self._tiers = tiers
        self._look_ahead_ms = look_ahead_ms(tiers)
        self._held: dict[Place, HeldPartition] = {}
        self._writing = 0

    def forget(self, places: Collection[Place]) -> None:
        """Forget what was kept of partitions that are not ours any more."""
        for place in places:
            self._held.pop(place, None)

    async def run(self) -> None:
        """Read, wait and release until cancelled."""
        while True:
            await self.round()

    async def round(self) -> None:
        """Read on where it is time to, then release what is due."""
        now_ms = self._clock.now_ms()
        wanted = self.wanted()
        wait_ms = self._wait_ms(now_ms)
        if wanted:
            for place, record in await self._log.read(wanted, wait_ms):
                self._of(place).take(record)
        else:
            await self._clock.sleep_ms(wait_ms)
        if await self._release(self._clock.now_ms()):
            await self._clock.sleep_ms(REST_MS)

    def held(self) -> Mapping[Place, int]:
        """Return how many records are kept in hand, by partition."""
        return {place: len(held) for place, held in self._held.items()}

    def wanted(self) -> Collection[Place]:
        """Return the partitions in which the next record could be one to release soon."""
        now_ms = self._clock.now_ms()
        return [place for place in self._log.places() if self._of(place).wants_more(now_ms)]

    def owed(self) -> int:
        """Return how many partitions have a record whose time has come and that may leave, and what is being written on."""
        now_ms = self._clock.now_ms()
        going = (held.next_release_ms() for place, held in self._held.items() if not self._log.crowded(place[1]))
        return self._writing + sum(due_ms is not None and due_ms <= now_ms for due_ms in going)

    def _of(self, place: Place) -> HeldPartition:
        held = self._held.get(place)
        if held is None:
            held = self._held[place] = HeldPartition(self._look_ahead_ms)
        return held

    def _wait_ms(self, now_ms: int) -> int:
        # What may not leave is not waited for: its time may be long past, and hold would turn round without a pause.
        going = [held for place, held in self._held.items() if not self._log.crowded(place[1])]
        releases = [ms for held in going if (ms := held.next_release_ms()) is not None]
        return max(0, min(ROUND_MS, min(releases, default=now_ms + ROUND_MS) - now_ms))

    async def _release(self, now_ms: int) -> bool:
        """Write on what is due; tell whether anything was."""
        relays: list[tuple[Place, Relay]] = []
        for place, held in self._held.items():
            if self._log.crowded(place[1]):
                continue
            relays += [(place, self._relay(place, record, now_ms)) for record in held.release(now_ms, RELEASE_AT_ONCE)]
        if not relays:
            return False
        self._writing = len(relays)
        try:
            await self._log.write([relay for _, relay in relays])
        finally:
            self._writing = 0
        for place, relay in relays:
            self._log.finish(place, relay.record.offset)
            self._meter.count("records_released", label=place[0])
        return True

    def _relay(self, place: Place, record: HeldRecord, now_ms: int) -> Relay:
        hop = next_hop(self._tiers, now_ms, record.due_at_ms)
        if hop is None:
            return Relay(record, place[1], None, record.due_at_ms)
        return Relay(record, place[1], hop.tier.name, hop.release_at_ms)
