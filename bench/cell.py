"""One cell of a table: an installation on fresh topics, a receiver, and workers that are ready, under given conditions."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import Any

from bench.crew import crew
from bench.outcomes import Outcomes, ends_of, outcomes_since
from bench.publish import requests
from bench.rig import BODY_BYTES, PARTITIONS, Rig, write_default_settings
from bench.target import Receiver, receiving
from bench.watch import Watch
from streamer.adapters.kafka.topics import create_missing
from streamer.core.ladder import DEFAULT_TIERS
from tests.support.broker import delete_topics
from tests.support.installation import Installation

_TIERS = " ".join(tier.name for tier in DEFAULT_TIERS)
_number = count()
#: What works on an installation: from it and a number of processes to their ids by name.
Crew = Callable[[Installation, int], AbstractAsyncContextManager[Mapping[str, int]]]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What sets one cell apart from another."""

    domains: int = 20
    delay_ms: float = 0.0
    workers: int = 1
    partitions: int = PARTITIONS
    body_bytes: int = BODY_BYTES
    seed: int = 1
    changed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is ready to be measured."""

    rig: Rig
    conditions: Conditions
    place: Installation
    settings: Mapping[str, Any]
    receiver: Receiver
    #: The processes that do the work, by name.
    crew: Mapping[str, int]

    @property
    def topic(self) -> str:
        """Where tasks are written."""
        return self.place.topics.requests

    def requests(self, tasks: int) -> list[bytes]:
        """Return records of tasks, evenly over the domains."""
        return requests(self.receiver.urls, tasks, self.conditions.body_bytes, self.conditions.seed)

    def watch(self) -> Watch:
        """Begin to account for every process that takes part."""
        return Watch(
            {**self.crew, "broker": self.rig.broker_pid, "receiver": self.receiver.pid, "publisher": os.getpid()}
        )

    async def result_ends(self) -> dict[Any, int]:
        """Return where ``results`` ends now."""
        return await ends_of(self.rig.consumer, self.place.topics.results, self.place.partitions)

    async def outcomes(self, starts: Mapping[Any, int], tasks: int, within_s: float = 60.0) -> Outcomes:
        """Return what was told since; to be asked once nothing is measured any more, since reading costs CPU."""
        return await outcomes_since(self.place.bootstrap, starts, tasks, within_s)

    def told(self) -> dict[str, Any]:
        """Return what the cell is, for the report."""
        return {**asdict(self.conditions), "crew": list(self.crew), "settings": dict(self.settings)}


@asynccontextmanager
async def workers(place: Installation, number: int) -> AsyncIterator[dict[str, int]]:
    """Run workers as operators do."""
    async with crew(place, number) as running:
        yield {f"worker-{at}": worker.pid for at, worker in enumerate(running)}


@asynccontextmanager
async def cell(rig: Rig, conditions: Conditions, work: Crew = workers) -> AsyncIterator[Cell]:
    """Make a cell; its topics, receiver and workers are gone when the context ends."""
    async with AsyncExitStack() as stack:
        place, settings = await stack.enter_async_context(installation(rig, conditions))
        receiver = await stack.enter_async_context(
            receiving(conditions.domains, conditions.delay_ms, conditions.partitions)
        )
        running = await stack.enter_async_context(work(place, conditions.workers))
        yield Cell(rig, conditions, place, settings, receiver, running)


@asynccontextmanager
async def installation(rig: Rig, conditions: Conditions) -> AsyncIterator[tuple[Installation, dict[str, Any]]]:
    """Make topics and settings alone; yields the settings that are not the usual ones, too."""
    name = f"cell{next(_number)}"
    place = Installation(rig.bootstrap, f"{name}.", rig.directory / name, conditions.partitions, _TIERS)
    place.directory.mkdir()
    settings = write_default_settings(place, {"http.allow_cidrs": ["127.0.0.0/8"], **conditions.changed})
    names = await create_missing(place.bootstrap, place.topics.specs())
    try:
        yield place, settings
    finally:
        await delete_topics(place.bootstrap, names)
