"""`config` on the real broker: read to its end first, a change in force within a second, the last book while it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from streamer.adapters.kafka.config_log import ConfigLog
from streamer.adapters.kafka.config_state import ConfigState
from streamer.adapters.prometheus.meter import PrometheusMeter
from streamer.core.policy import BreakerPolicy, Policy
from streamer.wire.config_record import Installation, encode_config
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.topics import Topics
from tests.adapters.kafka.support import produce
from tests.support.broker import RunningKafka
from tests.support.waiting import until

pytestmark = pytest.mark.broker

LANE = "a.test"


@asynccontextmanager
async def following(bootstrap: str, topic: str) -> AsyncIterator[ConfigLog]:
    """Read a topic as a worker would, for the length of the block."""
    state = ConfigState(Policy(), Installation(DEFAULT_LIMITS, BreakerPolicy()), 4, PrometheusMeter())
    config = ConfigLog({"bootstrap_servers": bootstrap}, topic, state)
    task = asyncio.create_task(config.run())
    try:
        yield config
    finally:
        task.cancel()
        await asyncio.wait([task])


async def limit(kafka: RunningKafka, topics: Topics, concurrency: int | None) -> None:
    """Set the concurrency of the lane, or forget it."""
    value = None if concurrency is None else encode_config({"concurrency": concurrency})
    await produce(kafka.bootstrap, topics.config, [(f"domain:{LANE}".encode(), value, 0)])


async def test_read_to_its_end_first_and_a_change_is_in_force_within_a_second(
    kafka: RunningKafka, topics: Topics
) -> None:
    """RULES 40: once caught up, all that stood there holds; each later change, also a removal, holds within a second."""
    # More than one fetch brings: 2 MB.
    others, long = encode_config({"concurrency": 1}), ".".join(["a" * 60] * 3).encode()
    domains = [(b"domain:%d.%s.test" % (number, long), others, 0) for number in range(8_000)]
    await produce(kafka.bootstrap, topics.config, domains, linger_ms=5, max_batch_size=1_000_000)
    for concurrency in (1, 2, 3):
        await limit(kafka, topics, concurrency)
    async with following(kafka.bootstrap, topics.config) as config:
        assert not config.caught_up.is_set()
        await asyncio.wait_for(config.caught_up.wait(), 10)
        assert config.current().lane(LANE).concurrency == 3
        changes: tuple[tuple[int | None, int], ...] = ((4, 4), (5, 5), (None, 20))
        for changed, holds in changes:
            await limit(kafka, topics, changed)
            written = time.monotonic()
            await until(lambda holds=holds: config.current().lane(LANE).concurrency == holds, 5)  # type: ignore[misc]
            assert time.monotonic() - written < 1


async def test_the_last_book_holds_while_the_broker_is_away(kafka: RunningKafka, topics: Topics) -> None:
    """A broker that dies takes nothing away, and once it is back changes come through again."""
    await limit(kafka, topics, 3)
    async with following(kafka.bootstrap, topics.config) as config:
        await asyncio.wait_for(config.caught_up.wait(), 10)
        await asyncio.to_thread(kafka.broker.kill)
        try:
            assert config.current().lane(LANE).concurrency == 3
        finally:
            await asyncio.to_thread(kafka.broker.start)
        assert config.current().lane(LANE).concurrency == 3
        await limit(kafka, topics, 4)
        await until(lambda: config.current().lane(LANE).concurrency == 4, 20)


async def test_who_cannot_read_says_why() -> None:
    """Without a broker nothing is caught up, it is tried again, and the trouble is told."""
    async with following("127.0.0.1:1", "t.config") as config:
        await until(lambda: config.trouble is not None, 10)
        assert not config.caught_up.is_set()
        assert config.trouble is not None
        assert "Kafka" in config.trouble
