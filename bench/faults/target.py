"""A target that fails and recovers by a case's word, and remembers every call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from streamer.adapters.demo.exchange import Answer, Arrival
from streamer.adapters.demo.server import Server

DOWN, UP = Answer(503), Answer(200, delay_s=0.02)


@dataclass(frozen=True, slots=True)
class Hit:
    """One call: when it arrived, by the monotonic clock, and whether it was answered with success."""

    at_s: float
    good: bool


@dataclass(slots=True)
class Target:
    """Answers 503 while it is down, else 200 after 20 ms."""

    healthy: bool = True
    hits: list[Hit] = field(default_factory=list)
    url: str = ""

    def respond(self, arrival: Arrival) -> Answer:
        """Answer one call."""
        self.hits.append(Hit(arrival.at_ns / 1e9, self.healthy))
        return UP if self.healthy else DOWN

    def since(self, begin_s: float, until_s: float = float("inf")) -> list[Hit]:
        """Return the calls of a stretch of time."""
        return [hit for hit in self.hits if begin_s <= hit.at_s < until_s]

    def turn(self, *, healthy: bool) -> float:
        """Fail from now on, or recover; return when that was."""
        self.healthy = healthy
        return time.monotonic()


@asynccontextmanager
async def target() -> AsyncIterator[Target]:
    """Serve in this loop on a port of its own."""
    made = Target()
    server = Server(made.respond)
    made.url = await server.start()
    try:
        yield made
    finally:
        await server.stop()
