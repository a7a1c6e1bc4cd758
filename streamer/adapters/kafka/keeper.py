"""What the transport and its keeper say to each other, and how the consumer is built."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

from faust.types import TP

from streamer.adapters.kafka.lease import HeartbeatLease
from streamer.adapters.kafka.progress import Progress
from streamer.ports import Meter


@dataclass(frozen=True, slots=True)
class RawBatch:
    """One partition's records as fetched, and the generation they were fetched under."""

    topic: str
    partition: int
    generation: int
    records: Sequence[Any]


@dataclass(frozen=True, slots=True)
class RawFetch:
    """What one fetch brought for one agent: at most one batch a partition."""

    batches: Sequence[RawBatch]


class Keeper(Protocol):
    """Who keeps windows and tables for the transport."""

    lease: HeartbeatLease
    given_up: asyncio.Event

    def withheld(self, active: Set[TP]) -> set[TP]:
        """Return those partitions that shall not be fetched for now."""

    def recover(self, partition: int, records: Sequence[Any]) -> None:
        """Apply changelog records to the local store."""

    def progress(self) -> Mapping[TP, Progress]:
        """Return how far each partition is."""

    def committed(self, ends: Mapping[TP, int]) -> None:
        """Note what the broker has acknowledged as committed."""

    async def open(self, starts: Mapping[TP, int], generation: int) -> None:
        """Begin an assignment: each partition's reading starts at its offset."""

    async def close(self, commit: Callable[[Mapping[TP, Progress]], Awaitable[bool]]) -> None:
        """End the assignment: drain, commit, forget."""

    def fenced(self, reason: str) -> None:
        """Note that this process must end: another has its place."""


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """What the consumer is built with beyond Faust's settings."""

    client_options: Mapping[str, Any]
    session_s: float
    heartbeat_s: float
    rebalance_s: float
    instance_id: str | None
    max_poll_records: int = 2_000
    max_wait_ms: int = 50
    max_partition_bytes: int = 128 * 1024
    from_latest: bool = False
    meter: Meter | None = None
