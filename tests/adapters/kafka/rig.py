"""A member of deliver's group without the worker around it: the Faust app, the transport, and a stage that a test steers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust

from streamer.adapters.kafka.faust_app import make_app
from streamer.adapters.kafka.keeper import FetchOptions
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.ownership import Ownership, OwnershipLimits
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.adapters.store.claims_on_disk import ClaimsOnDisk
from streamer.core.window import Window
from streamer.flow.owned import Batch, Owned
from streamer.wire.topics import Topics
from tests.support.waiting import until

STOP_S = 5.0


@dataclass(slots=True, eq=False)
class Taken:
    """A record that the stage was handed, and the window it was read under."""

    source: str
    partition: int
    offset: int
    value: bytes
    window: Window
    owned: Owned

    def finish(self) -> None:
        """Mark it done."""
        self.window.finish(self.offset)


@dataclass(eq=False)
class SteeredStage:
    """Takes what it is handed, and finishes at once what ``wants_finished`` says; the rest is the test's."""

    wants_finished: Callable[[Taken], bool] = lambda _: True
    on_batch: Callable[[Batch], None] = lambda _: None
    taken: list[Taken] = field(default_factory=list)
    given_up: list[Owned] = field(default_factory=list)
    drains: list[bool] = field(default_factory=list)

    def accept(self, batch: Batch, owned: Owned) -> None:
        """Take a batch as deliver does: each record once, HoleError where some are missing."""
        self.on_batch(batch)
        for offset, size, item in batch.records:
            if batch.window.take(offset, size):
                one = Taken(batch.source, batch.partition, offset, bytes(item), batch.window, owned)  # type: ignore[call-overload]
                self.taken.append(one)
                if self.wants_finished(one):
                    one.finish()

    async def drain(self, deadline_ms: float) -> bool:
        """Wait until everything of open partitions is finished, or the deadline has passed."""
        try:
            await until(lambda: all(one.window.drained for one in self.taken if one.owned.open), deadline_ms / 1000)
        except TimeoutError:
            self.drains.append(False)
        else:
            self.drains.append(True)
        return self.drains[-1]

    def give_up(self, owned: Owned) -> None:
        """Note that a partition is given up."""
        self.given_up.append(owned)

    def resume(self) -> None:
        """Start again: nothing was stopped."""

    def offsets(self, source: str, partition: int) -> list[int]:
        """Return the offsets taken from a partition, in the order in which they came."""
        return [one.offset for one in self.taken if (one.source, one.partition) == (source, partition)]


@dataclass(slots=True, eq=False)
class Member:
    """One running member, and what its test looks at."""

    topics: Topics
    group: str
    stage: SteeredStage
    ownership: Ownership
    meter: PrometheusMeter
    app: faust.App
    aborts: list[int]

    @property
    def consumer(self) -> Any:
        """The transport's consumer."""
        return self.app.consumer

    @property
    def client(self) -> Any:
        """The aiokafka consumer in its thread."""
        return self.consumer._thread._consumer

    @property
    def partitions(self) -> set[int]:
        """The partitions that are owned now."""
        return set(self.ownership.assignment.owned) if self.ownership.ready.is_set() else set()

    async def owns(self, count: int, within_s: float = 20.0) -> None:
        """Return once it owns that many partitions."""
        await until(lambda: len(self.partitions) == count, within_s)

    async def start(self) -> None:
        """Start as a worker does."""
        self.app.finalize()
        consumer, ownership = self.consumer, self.ownership
        ownership.seek_back, ownership.rejoin, ownership.ends = consumer.seek_back, consumer.rejoin, consumer.ends
        await self.app.start()

    async def stop(self) -> None:
        """Stop as a worker does: drain and commit, then leave."""
        await asyncio.wait_for(self.consumer.drain(), STOP_S)
        await asyncio.wait_for(self.app.stop(), 2 * STOP_S)


@asynccontextmanager
async def member(
    bootstrap: str,
    topics: Topics,
    directory: Path,
    stage: SteeredStage | None = None,
    *,
    limits: OwnershipLimits | None = None,
    session_s: float = 6.0,
    instance_id: str | None = None,
    lease: HeartbeatLease | None = None,
    commit_s: float = 0.2,
    starts: bool = True,
    aborting: asyncio.Event | None = None,
    **fetch: Any,
) -> AsyncIterator[Member]:
    """Run a member of the topics' own deliver group for the length of the block; an abort ends once ``aborting`` is set."""
    stage, meter, aborts = stage or SteeredStage(), PrometheusMeter(), [0]
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    limits = limits or OwnershipLimits(drain_s=1.0)

    async def abort() -> None:
        aborts[0] += 1
        if aborting is not None:
            await aborting.wait()

    sources = {
        topics.deliveries: "deliveries",
        topics.due: "due",
        topics.control: "control",
        topics.claims: "claims",
    }
    ownership = Ownership(
        sources=sources,
        stages=dict.fromkeys(sources.values(), stage),
        decoders=dict.fromkeys(sources.values(), _value),
        open_claims=lambda partition: ClaimsOnDisk(directory / f"claims-{partition}.sqlite"),
        abort_outbox=abort,
        lease=lease or HeartbeatLease(session_s),
        meter=meter,
        limits=limits,
    )
    options = FetchOptions(
        {"bootstrap_servers": bootstrap, "client_id": "streamer"},
        session_s=session_s,
        heartbeat_s=0.2,
        rebalance_s=limits.drain_s + 7,
        instance_id=instance_id,
        **fetch,
    )
    app = _app(topics, ownership, options, directory, commit_s)
    made = Member(topics, f"{topics.prefix}deliver", stage, ownership, meter, app, aborts)
    watching = asyncio.create_task(ownership.watch_lease())
    try:
        if starts:
            await made.start()
        yield made
    finally:
        watching.cancel()
        await made.stop()
        ownership.keep_only(set())


def _app(topics: Topics, ownership: Ownership, options: FetchOptions, directory: Path, commit_s: float) -> faust.App:
    return make_app(
        group=f"{topics.prefix}deliver",
        topics=[topics.deliveries, topics.due, topics.control],
        claims_topic=topics.claims,
        changelog_topic=topics.tasks_changelog,
        partitions=topics.partitions,
        keeper=ownership,
        options=options,
        data_dir=str(directory / "faust"),
        faust_options={"broker_commit_interval": commit_s},
    )


def _value(record: Any) -> Any:
    return record.value


def numbered(count: int, partition: int, start: int = 0) -> Sequence[tuple[bytes | None, bytes | None, int]]:
    """Return records for one partition that carry their numbers."""
    return [(b"k", b"%d" % number, partition) for number in range(start, start + count)]
