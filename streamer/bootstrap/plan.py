"""What a worker is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.adapters.kafka.group_reader import ReaderOptions
from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.producer import DurableProducer
from streamer.ports import Meter
from streamer.settings.model import Settings
from streamer.wire.limits import Limits
from streamer.wire.topics import Topics


class Groups:
    """The consumer groups' names, from one prefix."""

    def __init__(self, group: str) -> None:
        self.intake = f"{group}-intake"
        self.deliver = f"{group}-deliver"
        self.hold = f"{group}-hold"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker is made from: settings, and what follows from them and from the cluster.

    ``name`` tells workers of one machine apart; each has a directory of its own.
    """

    settings: Settings
    topics: Topics
    limits: Limits
    client_options: dict[str, Any]
    cluster_id: str
    name: str

    @property
    def directory(self) -> Path:
        """Where this worker keeps its files."""
        return self.settings.worker.data_dir / self.name

    @property
    def groups(self) -> Groups:
        """The consumer groups."""
        return Groups(self.settings.kafka.group)

    def producer(self, lease: HeartbeatLease) -> DurableProducer:
        """Return a producer that writes while the lease is held."""
        return DurableProducer(
            self.client_options,
            linger_ms=self.settings.kafka.linger_ms,
            deadline_s=self.settings.kafka.produce_timeout_s,
            max_record_bytes=self.settings.topics.max_message_bytes,
            may_write=lease.held,
        )

    def reader(self, group: str, topics: Sequence[str], meter: Meter, *, read_committed: bool = False) -> ReaderOptions:
        """Return how a stage that is no Faust agent reads."""
        kafka = self.settings.kafka
        return ReaderOptions(
            self.client_options,
            group,
            topics,
            session_s=kafka.session_timeout_s,
            heartbeat_s=kafka.heartbeat_interval_s,
            commit_interval_s=kafka.commit_interval_s,
            read_committed=read_committed,
            from_latest=self.settings.worker.from_ == "latest",
            instance_id=self.settings.worker.instance_id,
            meter=meter,
        )
