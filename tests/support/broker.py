"""The real broker for tests: one for the whole session, and a small topic set of its own for each test."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.kafka.topics import create_missing
from streamer.core.ladder import Tier
from streamer.wire.topics import Topics

SHORT_TIERS = (Tier("200ms", 200), Tier("1s", 1_000), Tier("2s", 2_000))
PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class RunningKafka:
    """The session's broker. A test that stops or kills it starts it again before it ends."""

    broker: EmbeddedBroker

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return self.broker.bootstrap


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningKafka]:
    """Start the broker once, on an empty data directory, when the first test asks for it."""
    with EmbeddedBroker(BrokerOptions(tmp_path_factory.mktemp("kafka"), short_lived=True)) as broker:
        yield RunningKafka(broker)


@pytest.fixture
def topic_prefix() -> str:
    """Return a prefix that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.fixture
async def topics(kafka: RunningKafka, topic_prefix: str) -> AsyncIterator[Topics]:
    """Make a topic set with short tiers for one test, and delete it afterwards."""
    made = Topics(topic_prefix, PARTITIONS, SHORT_TIERS)
    names = await create_missing(kafka.bootstrap, made.specs())
    yield made
    await delete_topics(kafka.bootstrap, names)


async def delete_topics(bootstrap: str, names: list[str]) -> None:
    """Delete topics, so that a session of many tests does not keep thousands of open files in the broker."""
    async with administering(bootstrap) as admin:
        await admin.delete_topics(names)


@asynccontextmanager
async def administering(bootstrap: str) -> AsyncIterator[Any]:
    """An admin client for the length of the block."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
