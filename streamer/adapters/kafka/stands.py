"""How far each stage is and what it owes: gathered now and then on the loop, looked at by the watchdogs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from streamer.adapters.kafka.watchdog import Progress

log = logging.getLogger(__name__)

LOOK_S = 10.0


@dataclass(frozen=True, slots=True)
class Stand:
    """One stage at one moment.

    ``moved`` changes whenever it gets on, ``in_hand`` is what it has read and should be done with, ``next_offsets`` where it
    reads on; a partition that it rightly leaves alone is not among them.
    """

    moved: int = 0
    in_hand: int = 0
    next_offsets: Mapping[TopicPartition, int] = field(default_factory=dict)


class Ends(Protocol):
    """Who knows where logs end."""

    async def of(self, tps: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the end of each; raises KafkaError or OSError when no answer comes."""

    async def close(self) -> None:
        """Close the connections."""


class Stands:
    """The stages' stands at the last look, and how much of their topics nobody had read then."""

    def __init__(self, stages: Mapping[str, Callable[[], Stand]], ends: Ends) -> None:
        self._stages = stages
        self._ends = ends
        self._found: dict[str, Stand] = {}
        self._unread: dict[str, int] = {}

    def unread(self, stage: str) -> int:
        """Return how many records wait to be read by a stage."""
        return self._unread.get(stage, 0)

    def progress(self, stage: str) -> Progress:
        """Return a stage's progress as a watchdog wants it."""
        found = self._found.get(stage, Stand())
        return Progress(found.moved, found.in_hand + self.unread(stage))

    async def run(self) -> None:
        """Look now and then until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_S)
        finally:
            await self._ends.close()

    async def look(self) -> None:
        """Look once; while nobody says where the logs end, what was unread before counts on."""
        found = {name: stand() for name, stand in self._stages.items()}
        asked = {tp for stand in found.values() for tp in stand.next_offsets}
        try:
            ends = await self._ends.of(asked)
        except (KafkaError, OSError) as error:
            log.warning("how much waits to be read is not known: %r", error)
            ends = None
        for name, stand in found.items():
            self._found[name] = stand
            if ends is not None:
                self._unread[name] = sum(max(0, ends.get(tp, at) - at) for tp, at in stand.next_offsets.items())
