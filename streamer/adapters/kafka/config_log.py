"""Reads ``config`` to its end, then follows it: each process has the policies in force within a second (RULES 40)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streamer.adapters.kafka.config_state import ConfigState
from streamer.adapters.kafka.stands import Stand
from streamer.core.policy_book import PolicyBook

log = logging.getLogger(__name__)

_FETCH_WAIT_MS = 250
_POLL_MS = 500
_POLL_RECORDS = 2_000
_FIRST_RETRY_S = 0.2
_LONGEST_RETRY_S = 5.0
_START_S = 30.0
_STOP_S = 2.0


class ConfigLog:
    """Follows the topic's one partition without a group; after an error it is read from its beginning again.

    ``caught_up`` is set once everything has been read that stood there at the start. While the broker is away the last book
    holds.
    """

    def __init__(self, client_options: Mapping[str, Any], topic: str, state: ConfigState) -> None:
        self._options = client_options
        self._topic = topic
        self._partition = TopicPartition(topic, 0)
        self._state = state
        self.caught_up = asyncio.Event()
        #: Where the client reads on.
        self._at = 0
        #: Why it could not be read, the last time.
        self.trouble: str | None = None

    @property
    def topic(self) -> str:
        """The topic that is read."""
        return self._topic

    def current(self) -> PolicyBook:
        """Return the policies in force now."""
        return self._state.book

    def stand(self) -> Stand:
        """Return how far it has been read, for its watchdog."""
        return Stand(self._at, 0, {self._partition: self._at})

    async def run(self) -> None:
        """Run until cancelled."""
        retry_s = _FIRST_RETRY_S
        while True:
            try:
                async with self._reading() as consumer:
                    await self._to_the_end(consumer)
                    retry_s = _FIRST_RETRY_S
                    await self._follow(consumer)
            except (KafkaError, OSError) as error:
                self.trouble = repr(error)
                log.warning("config cannot be read, what was read last holds; again in %.1f s: %r", retry_s, error)
                await asyncio.sleep(retry_s)
                retry_s = min(2 * retry_s, _LONGEST_RETRY_S)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self._options,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            max_partition_fetch_bytes=1024 * 1024,
        )
        try:
            await asyncio.wait_for(consumer.start(), _START_S)
            consumer.assign([self._partition])
            yield consumer
        finally:
            await asyncio.wait_for(consumer.stop(), _STOP_S)

    async def _to_the_end(self, consumer: AIOKafkaConsumer) -> None:
        await consumer.seek_to_beginning(self._partition)
        end = (await consumer.end_offsets([self._partition]))[self._partition]
        self._state.begin()
        # The position, not the last record's offset: compaction leaves holes, at the end too.
        while (at := await consumer.position(self._partition)) < end:
            await self._take(consumer)
        self._at = at
        self._state.finish()
        self._state.renew()
        self.caught_up.set()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self._take(consumer)
            self._at = await consumer.position(self._partition)
            self._state.renew()

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_POLL_RECORDS)
        for records in batches.values():
            for record in records:
                self._state.take(record)
