"""How to reach a cluster: the options that every client takes, and the first questions that are put to it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from streamer.adapters.kafka.connections import close_what_is_cut_off
from streamer.adapters.kafka.fused_schemas import fuse

CLIENT_ID = "streamer"
PROBE_TIMEOUT_MS = 10_000


class Unreachable(Exception):
    """No broker answers, or none that takes our credentials; `addresses` are those that were asked."""

    def __init__(self, addresses: str, cause: str) -> None:
        super().__init__(f"Kafka at {addresses} does not answer: {cause}")
        self.addresses = addresses
        self.cause = cause


class TopicMissing(Exception):
    """A topic is not there."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} is missing")
        self.topic = topic


def client_options(
    bootstrap_servers: str,
    *,
    protocol: str = "PLAINTEXT",
    sasl_mechanism: str = "PLAIN",
    user: str | None = None,
    password: str | None = None,
    cafile: Path | None = None,
) -> dict[str, Any]:
    """Return the keyword arguments that every aiokafka client takes: the cluster, who we are, whom we trust.

    Who reaches a cluster starts here, so here the library is made faster, and tidier.
    """
    fuse()
    close_what_is_cut_off()
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in bootstrap_servers.split(",") if server.strip()],
        "client_id": CLIENT_ID,
        "security_protocol": protocol,
    }
    if protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=str(cafile) if cafile else None)
    if protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": sasl_mechanism,
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }
    return options


async def cluster_id(options: Mapping[str, Any]) -> str:
    """Return the id that the cluster was formatted with; raises Unreachable."""
    async with _admin(options) as admin:
        return str((await admin.describe_cluster())["cluster_id"])


async def partition_counts(options: Mapping[str, Any], topics: Collection[str]) -> dict[str, int]:
    """Return the number of partitions of each topic; raises Unreachable, and TopicMissing for the first not there."""
    async with _admin(options) as admin:
        # All topics, not ours by name: asking for a name makes the topic on a cluster with auto.create.topics.enable.
        there = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    for topic in topics:
        if topic not in there:
            raise TopicMissing(topic)
    return {topic: there[topic] for topic in topics}


@asynccontextmanager
async def reaching(options: Mapping[str, Any]) -> AsyncIterator[None]:
    """Raise what the client library raises inside as Unreachable."""
    try:
        yield
    except KafkaConnectionError as error:
        # Its text has Python's address families in it, and nothing that the addresses do not say.
        raise Unreachable(addresses(options), "no connection") from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unreachable(addresses(options), str(error) or type(error).__name__) from error


def addresses(options: Mapping[str, Any]) -> str:
    """Return the addresses that the options name, as people write them."""
    servers = options["bootstrap_servers"]
    return servers if isinstance(servers, str) else ",".join(servers)


@asynccontextmanager
async def _admin(options: Mapping[str, Any]) -> AsyncIterator[Any]:
    async with reaching(options), asyncio.timeout(PROBE_TIMEOUT_MS / 1000):
        admin = AIOKafkaAdminClient(**options, request_timeout_ms=PROBE_TIMEOUT_MS)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()
