"""Three brokers that replicate to each other, so that one of them may die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from streamer.adapters.broker import ports
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from streamer.adapters.broker.storage import new_cluster_id

_NODES = (1, 2, 3)
#: Three of them on a machine that is busy with faults.
_START_S = 180.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Brokers by their number, from 0; one that was killed is started again on its disk."""

    brokers: Sequence[EmbeddedBroker]

    @property
    def bootstrap(self) -> str:
        """All of them: whichever is down, another tells where the rest are."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    async def kill(self, number: int) -> None:
        """End one at once."""
        await asyncio.to_thread(self.brokers[number].kill)

    async def start(self, *numbers: int) -> None:
        """Start some, together: alone the first would wait for the second."""
        await asyncio.gather(*[asyncio.to_thread(self.brokers[number].start) for number in numbers])


@asynccontextmanager
async def three_brokers(directory: Path) -> AsyncIterator[Cluster]:
    """Run three brokers, each controller too; topics have a replica on each, and two must have what is acknowledged."""
    places = [(ports.pick(), ports.pick()) for _ in _NODES]
    voters = ",".join(
        f"{node}@{ports.LOOPBACK}:{controller}" for node, (_, controller) in zip(_NODES, places, strict=True)
    )
    cluster_id = new_cluster_id()
    brokers = []
    for node, (port, controller) in zip(_NODES, places, strict=True):
        data_dir = directory / f"broker-{node}"
        data_dir.mkdir(parents=True)
        (data_dir / "cluster-id").write_text(cluster_id + "\n")
        overrides = _replicated(node, voters)
        options = BrokerOptions(data_dir, port, controller, start_timeout_s=_START_S, overrides=overrides)
        brokers.append(EmbeddedBroker(options))
    cluster = Cluster(brokers)
    try:
        await cluster.start(*range(len(_NODES)))
        yield cluster
    finally:
        # Together as well: a controller that is left alone cannot let its broker go in order.
        await asyncio.gather(*[asyncio.to_thread(broker.kill) for broker in brokers])


def _replicated(node: int, voters: str) -> dict[str, str]:
    return {
        "node.id": str(node),
        "controller.quorum.voters": voters,
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
        "offsets.topic.replication.factor": "3",
        "transaction.state.log.replication.factor": "3",
        "transaction.state.log.min.isr": "2",
        "unclean.leader.election.enable": "false",
    }
