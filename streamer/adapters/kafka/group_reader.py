"""A plain consumer of a group for the stages that are no Faust agents: intake and hold."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from streamer.adapters.kafka.lease import HeartbeatLease, listen
from streamer.adapters.kafka.patience import be_patient
from streamer.adapters.kafka.starts import starting_offsets
from streamer.ports import Meter

log = logging.getLogger(__name__)

_START_S = 30.0
_STOP_S = 5.0
_COMMIT_S = 5.0
#: No offset at all: what is committed of a partition that has just been assigned.
_NEVER = -1


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """How a group is joined and read."""

    client_options: Mapping[str, Any]
    group: str
    topics: Sequence[str]
    session_s: float = 10.0
    heartbeat_s: float = 1.0
    commit_interval_s: float = 0.5
    max_wait_ms: int = 50
    max_partition_bytes: int = 128 * 1024
    read_committed: bool = False
    from_latest: bool = False
    #: Of a static member: its place in the group is kept while it restarts.
    instance_id: str | None = None
    meter: Meter | None = None


class GroupReader(ConsumerRebalanceListener):
    """One membership: reads, keeps a lease by its heartbeats, and commits what ``committable`` answers.

    A reader is used once; after an error its owner makes another, which reads again from what was committed.
    """

    def __init__(
        self,
        options: ReaderOptions,
        lease: HeartbeatLease,
        committable: Callable[[], Mapping[TopicPartition, int]],
        on_assigned: Callable[[Mapping[TopicPartition, int]], None],
        on_revoked: Callable[[], None],
    ) -> None:
        self._options = options
        self._lease = lease
        self._committable = committable
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._known: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self.consumer = AIOKafkaConsumer(
            group_id=options.group,
            group_instance_id=options.instance_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # A tier may rightly be left alone for a week; progress is not measured by polls.
            max_poll_interval_ms=7 * 86_400_000,
            max_partition_fetch_bytes=options.max_partition_bytes,
            fetch_max_wait_ms=options.max_wait_ms,
            session_timeout_ms=int(options.session_s * 1000),
            heartbeat_interval_ms=int(options.heartbeat_s * 1000),
            isolation_level="read_committed" if options.read_committed else "read_uncommitted",
            **options.client_options,
        )

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[GroupReader]:
        """Join the group for the length of the block, committing now and then; leave it at the end."""
        committer = None
        try:
            await asyncio.wait_for(self.consumer.start(), _START_S)
            listen(self.consumer._coordinator, self._lease)
            be_patient(self.consumer)
            self.consumer.subscribe(topics=list(self._options.topics), listener=self)
            committer = asyncio.create_task(self._commit_now_and_then())
            yield self
        finally:
            if committer is not None:
                committer.cancel()
            with suppress(Exception):
                await self.commit()
            with suppress(Exception):
                await asyncio.wait_for(self.consumer.stop(), _STOP_S)

    def assignment(self) -> Collection[TopicPartition]:
        """Return the partitions that are ours."""
        return self._known.keys()

    def positions(self) -> dict[TopicPartition, int]:
        """Return where the client reads on, as far as it knows; that may lie behind markers which it hands out to nobody."""
        subscription: Any = self.consumer._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None:
            return {}
        states = {tp: assignment.state_value(tp) for tp in assignment.tps}
        return {tp: state.position for tp, state in states.items() if state.has_valid_position}

    def only(self, wanted: Iterable[TopicPartition]) -> None:
        """Pause every partition but the wanted ones."""
        paused = set(self._known) - set(wanted)
        if more := paused - self._paused:
            self.consumer.pause(*more)
        if fewer := (self._paused - paused) & self._known.keys():
            self.consumer.resume(*fewer)
        self._paused = paused

    async def commit(self) -> None:
        """Commit what has grown; a failure is left to the next time."""
        grown = {tp: end for tp, end in self._committable().items() if self._known.get(tp, end) != end}
        if not grown:
            return
        try:
            wanted = {tp: OffsetAndMetadata(end, "") for tp, end in grown.items()}
            await asyncio.wait_for(self.consumer.commit(wanted), _COMMIT_S)
            self._known.update(grown)
        except (KafkaError, TimeoutError) as error:
            log.warning("%s: offsets not committed, will be tried again: %r", self._options.group, error)

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Commit, then forget."""
        if self._known:
            await self.commit()
        self._known.clear()
        self._paused.clear()
        self._on_revoked()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Begin each partition at its committed offset, and commit that offset where there was none."""
        self._lease.begin()
        starts = await starting_offsets(
            self.consumer, list(assigned), from_latest=self._options.from_latest, meter=self._options.meter
        )
        # Without a pause in between: what was read before the seek is not ours yet, what is read after it is.
        for tp, start in starts.items():
            self.consumer.seek(tp, start)
        # By the same way as later ones, so that a commit that fails here is tried again.
        self._known = dict.fromkeys(starts, _NEVER)
        self._on_assigned(starts)
        await self.commit()

    async def _commit_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._options.commit_interval_s)
            await self.commit()
