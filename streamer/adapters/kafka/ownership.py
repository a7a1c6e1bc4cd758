"""What this worker owns: windows, tables and work of the assigned partitions, kept for the transport."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

from faust.types import TP

from streamer.adapters.kafka.keeper import RawBatch
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.local import Local
from streamer.adapters.kafka.progress import Progress
from streamer.adapters.kafka.reading import Reading
from streamer.adapters.kafka.starts import tell_gone
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.window import HoleError, Window
from streamer.flow.orphans import Firsts
from streamer.flow.owned import Batch, Item, Owned
from streamer.flow.sweep import Barriers
from streamer.ports import Meter

log = logging.getLogger(__name__)

#: How often the lease is looked at when nobody sends or writes.
_LEASE_POLL_S = 0.25


class Stage(Protocol):
    """A stage that takes batches: deliver or claim."""

    def accept(self, batch: Batch, owned: Owned) -> None:
        """Take a batch in hand, without waiting."""

    async def drain(self, deadline_ms: float) -> bool:
        """Wait for what is in hand; tell whether all of it is settled."""

    def give_up(self, owned: Owned) -> None:
        """Forget the work of a partition."""

    def resume(self) -> None:
        """Start work again, for a new assignment."""


@dataclass(frozen=True, slots=True)
class OwnershipLimits:
    """Bounds of the windows, and how long draining may take."""

    window_records: int = 20_000
    window_bytes: int = 64 * 1024 * 1024
    drain_s: float = 8.0


@dataclass(slots=True, eq=False)
class Assignment:
    """All that belongs to one assignment."""

    generation: int = -1
    windows: dict[TP, Window] = field(default_factory=dict)
    owned: dict[int, Owned] = field(default_factory=dict)
    barriers: dict[int, Barriers] = field(default_factory=dict)
    committed: dict[TP, int] = field(default_factory=dict)


class Ownership:
    """The transport's keeper: opens and closes assignments, hands batches to stages, answers what may be committed."""

    def __init__(
        self,
        *,
        sources: Mapping[str, str],
        stages: Mapping[str, Stage],
        decoders: Mapping[str, Callable[[Any], Item]],
        open_claims: Callable[[int], ClaimsOnDisk],
        abort_outbox: Callable[[], Awaitable[None]],
        lease: HeartbeatLease,
        meter: Meter,
        limits: OwnershipLimits,
        busy: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Prepare without an assignment; ``busy`` tells how much of the time since it was last asked we could have run."""
        self.lease = lease
        self.assignment = Assignment()
        self.seek_back: Callable[[TP, int], Awaitable[int]] | None = None
        self.rejoin: Callable[[], None] | None = None
        self.ends: Callable[[Sequence[TP]], Awaitable[Mapping[TP, int]]] | None = None
        self.ready = asyncio.Event()
        #: Clear while what was owned is being given up: what comes next is not ours to begin yet.
        self.given_up = asyncio.Event()
        self.given_up.set()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._sources = sources
        self._stages = stages
        self._decoders = decoders
        self._open_claims = open_claims
        self._abort_outbox = abort_outbox
        self._meter = meter
        self._limits = limits
        self._reading = Reading(sources, busy, meter)
        self._locals: dict[int, Local] = {}
        self._seeking: set[asyncio.Task[None]] = set()

    # For the transport

    def withheld(self, active: Set[TP]) -> set[TP]:
        """Return those partitions that shall not be fetched for now."""
        return self._reading.withheld(active, self.assignment.windows, self.assignment.owned)

    def local(self, partition: int) -> Local:
        """Return a partition's store, empty when it is new here."""
        kept = self._locals.get(partition)
        if kept is None:
            kept = self._locals[partition] = Local(MemoryTable(), self._open_claims(partition))
        return kept

    def applied_offset(self, partition: int) -> int:
        """Return how far a partition's changelog is applied here, -1 when nothing is."""
        kept = self._locals.get(partition)
        return kept.applied_offset if kept is not None else -1

    @property
    def applied(self) -> int:
        """How far all changelogs are applied, taken together: it changes as long as a recovery gets on."""
        return sum(local.applied_offset for local in list(self._locals.values()))

    def keep_only(self, partitions: set[int]) -> None:
        """Drop the stores of partitions that are no longer ours, whole (RULES 7)."""
        for partition in set(self._locals) - partitions:
            self._locals.pop(partition).claims.close()

    def recover(self, partition: int, records: Sequence[Any]) -> None:
        """Apply changelog records to the local store, each once."""
        self.local(partition).recover(records)

    def logged(self, partition: int, first: int, last: int) -> None:
        """Note that changes of ours were acknowledged at these offsets; the stage applies them itself."""
        # Not between two assignments: a store that is being recovered would be taken for one that knows what was written.
        if partition in self.assignment.owned:
            self.local(partition).logged(first, last)

    def progress(self) -> Mapping[TP, Progress]:
        """Return how far each partition is."""
        return {tp: Progress(window.committable, window.next_offset) for tp, window in self.assignment.windows.items()}

    async def open(self, starts: Mapping[TP, int], generation: int) -> None:
        """Begin an assignment; every partition gets objects of its own, so that late work of the last one touches nothing."""
        assert self.ends is not None
        ends = await self.ends(list(starts))
        assignment = Assignment(generation)
        for tp, start in starts.items():
            assignment.windows[tp] = Window(start, self._limits.window_records, self._limits.window_bytes)
        for partition in {tp.partition for tp in starts}:
            local = self.local(partition)
            # A static member that comes back within its session finds the group's generation unchanged.
            epoch = max(generation, local.table.epoch + 1)
            local.lanes.take_over(time.time() * 1000)
            assignment.owned[partition] = Owned(partition, epoch, local.table, local.claims, local.lanes, self.lease)
            windows = {tp.topic: window for tp, window in assignment.windows.items() if tp.partition == partition}
            last = {topic: ends[TP(topic, partition)] for topic in windows}
            assignment.barriers[partition] = Barriers(windows, last, time.time())
            for topic, window in windows.items():
                if self._sources[topic] == "deliveries":
                    assignment.owned[partition].firsts_done = Firsts(window, last[topic]).done
        self.assignment = assignment
        self.keep_only(set(assignment.owned))
        for stage in set(self._stages.values()):
            stage.resume()
        self.ready.set()

    async def close(self, commit: Callable[[Mapping[TP, Progress]], Awaitable[bool]]) -> None:
        """End the assignment: drain within the deadline, commit the finished prefixes, then forget what is left."""
        self.ready.clear()
        ending = self.assignment
        if not ending.owned:
            return
        stages = set(self._stages.values())
        drained = await asyncio.gather(*(stage.drain(self._limits.drain_s * 1000) for stage in stages))
        if self.lease.held():
            await commit(self.progress())
        self.assignment = Assignment()
        self._give_up(ending)
        if not all(drained) or not self.lease.held():
            await self._abort()

    def committed(self, ends: Mapping[TP, int]) -> None:
        """Note what the broker has acknowledged as committed."""
        self.assignment.committed.update(ends)

    def fenced(self, reason: str) -> None:
        """End this process: another has its place."""
        self.failed.get_loop().call_soon_threadsafe(self._fail, reason)

    def _fail(self, reason: str) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)

    # For the agents

    def accept(self, raw: RawBatch) -> None:
        """Decode a batch and hand it to its stage; a hole or a repeat is read again from where it should be."""
        tp = TP(raw.topic, raw.partition)
        window, owned = self.assignment.windows.get(tp), self.assignment.owned.get(raw.partition)
        if window is None or owned is None or not owned.open or raw.generation != self.assignment.generation:
            # Of an earlier assignment: read again by whoever has the partition now.
            return
        source = self._sources[raw.topic]
        decode = self._decoders[source]
        try:
            records = [(record.offset, _size(record), decode(record)) for record in raw.records]
            self._stages[source].accept(Batch(source, raw.partition, window, records), owned)
        except HoleError as hole:
            self._meter.count("offset_holes", label=source)
            log.warning("%s: %s", tp, hole)
            self._seek_back(tp, window, hole)
        except Exception as error:
            # Faust would ack the batch and go on, and what it held would be lost until somebody asks for it (H5).
            self._meter.count("faults")
            place = f"{tp.topic}-{tp.partition}@{raw.records[0].offset}"
            log.exception("the batch from %s could not be taken in hand", place)
            self._fail(f"a fault of ours on the batch from {place}: {error!r}")

    def _seek_back(self, tp: TP, window: Window, hole: HoleError) -> None:
        task = asyncio.create_task(self._read_again(tp, window, hole))
        self._seeking.add(task)
        task.add_done_callback(self._seeking.discard)

    async def _read_again(self, tp: TP, window: Window, hole: HoleError) -> None:
        assert self.seek_back is not None
        start = await self.seek_back(tp, hole.expected)
        if start > window.next_offset:
            tell_gone(self._meter, tp, window.next_offset, start)
            window.skip_to(start, "the log begins there")

    # The lease

    async def watch_lease(self) -> None:
        """Give up everything once the lease is lost, until the group gives us partitions again."""
        while True:
            await asyncio.sleep(_LEASE_POLL_S)
            if self.assignment.owned and not self.lease.held():
                await self.abandon()

    async def abandon(self) -> None:
        """Cancel all work and abort the producer; then ask the group for a new assignment."""
        log.warning("the lease is lost: no good heartbeat in time; all work in hand is given up")
        self._meter.count("leases_lost")
        self.ready.clear()
        ending, self.assignment = self.assignment, Assignment()
        self._give_up(ending)
        await self._abort()
        if self.rejoin is not None:
            self.rejoin()

    async def _abort(self) -> None:
        # What is still in the producer was decided for partitions that are no longer ours (RULES 4). Some of it may have
        # reached the changelog without our knowing, so the local stores are read anew: dropped at once, since the next
        # assignment may come before the abort is done, and recover them.
        self.given_up.clear()
        self.keep_only(set())
        try:
            await self._abort_outbox()
        finally:
            self.given_up.set()

    def _give_up(self, ending: Assignment) -> None:
        for owned in ending.owned.values():
            for stage in set(self._stages.values()):
                stage.give_up(owned)
            owned.close()


def _size(record: Any) -> int:
    return len(record.value or b"") + len(record.key or b"")
