"""Faust's transport, as we need it: batches in, our own windows, our own commits (RULES 3, 10, 15, 29, 30).

Faust 0.15.3 commits past unfinished records once acks come out of order, and costs 165 µs an event, and turns of the loop
besides: 2 ms when the loop is busy. Here an agent gets one event per fetch, which carries the partitions' batches, and what is
committed is the contiguous finished prefix of our own windows. The agent, the assignment, the table and its recovery stay
Faust's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.transport.consumer import ensure_TP
from faust.transport.drivers.aiokafka import Consumer, Transport
from faust.types import TP, ConsumerMessage
from mode import Service

from streamer.adapters.kafka.consumer_thread import BatchConsumerThread
from streamer.adapters.kafka.keeper import FetchOptions, Keeper, RawBatch, RawFetch
from streamer.adapters.kafka.progress import Progress

#: While a full window keeps a partition from being fetched, it is looked at again this often.
_FULL_POLL_S = 0.05
#: How long one fetch waits for records.
_POLL_S = 0.25
#: How long one commit may take; the next one carries the same offsets.
_COMMIT_S = 5.0
#: How long one search for where a log begins may take, and how soon it is begun again.
_SEEK_S, _AGAIN_S = 10.0, 1.0


class BatchConsumer(Consumer):
    """Faust's consumer with our windows in place of its ack lists."""

    keeper: Keeper
    options: FetchOptions
    #: Topic → the agent that gets its records in batches.
    agents: Mapping[str, str]
    _thread: BatchConsumerThread

    def __init__(self, transport: BatchTransport, *args: Any, **kwargs: Any) -> None:
        self.keeper, self.options, self.agents = transport.keeper, transport.options, transport.agents
        self._opened = -1
        self._fetched_under = -1
        self._known: dict[TP, Progress] = {}
        #: Clear while a fetch of our topics, or of the changelog, is under way, which may outlive its assignment.
        self._stream_fetches, self._changelog_fetches = asyncio.Event(), asyncio.Event()
        self._stream_fetches.set()
        self._changelog_fetches.set()
        super().__init__(transport, *args, **kwargs)

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # Fetching

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:
        active = active_partitions or set()
        # Not before: getmany may have waited through a rebalance for leave to fetch, and what it then fetches is the new
        # assignment's. Dropped as the old one's, a changelog batch would be missed for ever, and recovery never end.
        self._fetched_under = self.app.consumer_generation_id
        if self._opened != self.app.consumer_generation_id:
            # Until the starts are known only the table's changelog is read: what was fetched too early would be dropped.
            changelog = {tp for tp in active if self._is_changelog_tp(tp)}
            return await self._fetch(changelog, _POLL_S, self._changelog_fetches)
        full = self.keeper.withheld(active)
        return await self._fetch(active - full, _FULL_POLL_S if full else _POLL_S, self._stream_fetches)

    async def _fetch(self, wanted: set[TP], timeout_s: float, idle: asyncio.Event) -> Mapping[TP, list[Any]]:
        if not wanted:
            await self.sleep(_FULL_POLL_S)
            return {}
        idle.clear()
        try:
            return await super()._getmany(wanted, timeout_s)  # type: ignore[no-any-return]
        finally:
            idle.set()

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Seek for a recovery, once no fetch of the last assignment is left to carry the first records away."""
        await self._changelog_fetches.wait()
        await self._stream_fetches.wait()
        await super().seek_wait(partitions)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message per agent with its partitions' batches; drop one only when the generation has changed (RULES 3)."""
        records, _ = await self._wait_next_records(timeout)
        if not records or self.should_stop:
            return
        generation = self._fetched_under
        fetched: dict[str, list[RawBatch]] = {}
        for any_tp, batch in records.items():
            tp = ensure_TP(any_tp)
            if generation != self.app.consumer_generation_id:
                return
            if self._is_changelog_tp(tp):
                self.keeper.recover(tp.partition, batch)
                yield tp, self._to_message(tp, batch[-1])
            elif agent := self.agents.get(tp.topic):
                # Faust drops what it has read before; ours is read again after a hole, and the window knows what is new.
                self._read_offset[tp] = None
                batches = fetched.setdefault(agent, [])
                batches.append(RawBatch(tp.topic, tp.partition, generation, batch))
            else:
                for record in batch:
                    yield tp, self._to_message(tp, record)
        for batches in fetched.values():
            if generation != self.app.consumer_generation_id:
                return
            yield self._message_of(RawFetch(tuple(batches)), generation)

    def _message_of(self, fetch: RawFetch, generation: int) -> tuple[TP, ConsumerMessage]:
        # Faust needs a message to stand somewhere: where the first batch ends.
        batch = fetch.batches[0]
        tp, last = TP(batch.topic, batch.partition), batch.records[-1]
        value: Any = fetch
        return tp, ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000.0,
            last.timestamp_type,
            None,
            None,
            value,
            None,
            0,
            0,
            tp,
            generation_id=generation,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: a gap between two messages is what the second one carries."""

    async def seek_back(self, tp: TP, offset: int) -> int:
        """Read a partition again from ``offset``, or from where its log begins now; return which.

        Tried until it is done, or the assignment has changed: a hole that is left would be noticed only with the next record.
        """
        generation = self.app.consumer_generation_id
        while generation == self.app.consumer_generation_id:
            try:
                return await asyncio.wait_for(self._thread.seek_clamped(tp, offset), _SEEK_S)
            except (KafkaError, TimeoutError) as error:
                self.log.warning("%s: cannot be read again from %s yet: %r", tp, offset, error)
                await asyncio.sleep(_AGAIN_S)
        return offset

    async def ends(self, tps: Sequence[TP]) -> dict[TP, int]:
        """Return the ends of partitions' logs."""
        found = await self._thread.highwaters(*(TopicPartition(*tp) for tp in tps))
        return {ensure_TP(tp): end for tp, end in found.items()}

    # Committing

    @Service.transitions_to("COMMITTING")
    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit how far we are where that has changed."""
        return await self._commit_progress(self.keeper.progress())

    async def _commit_progress(self, progress: Mapping[TP, Progress]) -> bool:
        grown = {tp: stand for tp, stand in progress.items() if self._known.get(tp) != stand}
        try:
            if not grown or not await asyncio.wait_for(self._thread.commit(grown), _COMMIT_S):
                return False
        except TimeoutError:
            self.log.warning("offsets not committed within %s s, will be tried again", _COMMIT_S)
            return False
        self._known.update(grown)
        self.keeper.committed({tp: stand.committable for tp, stand in grown.items()})
        return True

    # Assignment

    async def perform_seek(self) -> None:
        """Open the assignment: windows begin where each partition is read from."""
        generation = self.app.consumer_generation_id
        # A fetch that began under the last assignment may still return; its records are dropped, so it must end before the seek.
        await self._stream_fetches.wait()
        ours = [tp for tp in self.assignment() if tp.topic in self.agents]
        starts = await self._thread.starts(ours)
        await self.keeper.open(starts, generation)
        self._known.clear()
        self._opened = generation
        # Committed at once, so that a partition that was read from never stands without a committed offset (RULES 11).
        await self._commit_progress({tp: Progress(start, start) for tp, start in starts.items()})

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Let Faust recover and seek; a member beyond the number of partitions has neither to do, and is as ready as it gets."""
        # What we still write under the last assignment would land after a recovery had read the changelog's end.
        await self.keeper.given_up.wait()
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            await self.keeper.open({}, generation_id)
            self._opened = generation_id

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Drain, commit and forget before Faust tears down (RULES 10, 30)."""
        await self._close()
        await super().on_partitions_revoked(revoked)

    async def verify_all_partitions_active(self) -> None:
        """Do nothing: Faust's livelock detector reads bookkeeping that our windows replace, and would cry wolf."""

    async def wait_empty(self) -> None:
        """Do nothing: draining has a deadline, and is done when partitions are revoked or the worker stops."""

    async def drain(self) -> None:
        """Fetch no more, drain and commit."""
        await self._close()

    async def on_stop(self) -> None:
        """Drain and commit, then stop."""
        await self._close()
        await super().on_stop()

    async def _close(self) -> None:
        self._opened = -1
        await self.keeper.close(self._commit_progress)
        self._known.clear()

    def rejoin(self) -> None:
        """Ask for a new assignment."""
        self._thread.rejoin()


class BatchTransport(Transport):
    """Faust's transport that makes our consumer."""

    Consumer = BatchConsumer

    def __init__(self, url: Any, app: Any, keeper: Keeper, options: FetchOptions, agents: Mapping[str, str]) -> None:
        self.keeper, self.options, self.agents = keeper, options, agents
        super().__init__(url, app)
