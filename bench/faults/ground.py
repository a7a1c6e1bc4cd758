"""What every case stands on: a broker of its own, a directory, a seed, and fresh topics for each run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.kafka.topics import create_missing
from tests.support.broker import delete_topics
from tests.support.installation import Installation

PARTITIONS = 12
#: Seconds in place of minutes, so that what is tried again ends within the run.
TIERS = "1s 2s 5s 10s 30s"
#: What the product does unless told otherwise; tests that only wait for an end use shorter ones.
_USUAL = {"kafka.session_timeout_s": 10, "kafka.heartbeat_interval_s": 1, "kafka.drain_deadline_s": 8}
_number = count()


@dataclass(frozen=True, slots=True)
class Ground:
    """A broker that a case may harm, since nobody else uses it while the case runs."""

    broker: EmbeddedBroker
    directory: Path
    seed: int
    #: How clients reach the cluster, where it is more than that broker, and how many of it have each partition.
    cluster: str = ""
    replication: int = 1

    @asynccontextmanager
    async def installation(
        self, settings: Mapping[str, str | int | float | bool], partitions: int = PARTITIONS
    ) -> AsyncIterator[Installation]:
        """Write settings and make topics; topics are deleted at the end, files stay."""
        name = f"run{next(_number)}"
        directory = self.directory / name
        directory.mkdir()
        place = Installation(self.cluster or self.broker.bootstrap, f"{name}.", directory, partitions, TIERS)
        place.write_settings(**{**_USUAL, **settings})
        names = await create_missing(place.bootstrap, place.topics.specs(), self.replication)
        try:
            yield place
        finally:
            await delete_topics(place.bootstrap, names)
