"""Open-loop load on lanes: tasks at a steady rate whatever comes of them, and when their calls arrived."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.arrivals import number_of
from bench.publish import open_loop
from bench.site import Site
from bench.spread import at

_LATE_S = 60.0
HEALTHY = 40


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a load: arrivals a second while it lasted, and how long each record took to become a call."""

    tasks: int
    arrived: int
    per_s: float
    p50_ms: float
    p99_ms: float
    most_ms: float

    def __str__(self) -> str:
        """Return the figures for people."""
        missing = f", {self.tasks - self.arrived} of {self.tasks} NEVER CAME" if self.arrived < self.tasks else ""
        return f"{self.per_s:.1f}/s, p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms, most {self.most_ms:.0f} ms{missing}"


class Load:
    """Tasks of one name, each stamped just before it was handed to the producer."""

    def __init__(self, site: Site, name: str, request: Callable[[str, int], Mapping[str, Any]]) -> None:
        """Prepare; ``request`` makes the task of a name and number."""
        self.name = name
        self.sent_ns: dict[int, int] = {}
        self._site = site
        self._request = request

    async def run(self, per_s: float, seconds: float) -> None:
        """Write tasks at this rate."""
        await open_loop(self._one, per_s, seconds)

    async def _one(self, number: int) -> None:
        value = json.dumps(self._request(self.name, number)).encode()
        self.sent_ns[number] = time.monotonic_ns()
        await self._site.producer.send_and_wait(self._site.place.topics.requests, value)

    async def arrived(self, within_s: float = _LATE_S) -> None:
        """Return once all have arrived, or after a while."""
        await self._site.arrivals.until(self.name, len(self.sent_ns), within_s)

    def heard(self, numbers: Iterable[int] | None = None) -> Heard:
        """Return what came of all tasks, or of some."""
        sent_ns = self.sent_ns if numbers is None else {number: self.sent_ns[number] for number in numbers}
        first_ns: dict[int, int] = {}
        for arrival in self._site.arrivals.of(self.name):
            if (number := number_of(arrival)) in sent_ns:
                first_ns.setdefault(number, arrival.at_ns)
        took_ms = sorted((at_ns - sent_ns[number]) / 1e6 for number, at_ns in first_ns.items()) or [float("inf")]
        begun_ns, until_ns = min(sent_ns.values()), max(sent_ns.values())
        in_time = sum(at_ns <= until_ns for at_ns in first_ns.values())
        per_s = in_time * 1e9 / max(1, until_ns - begun_ns)
        return Heard(len(sent_ns), len(first_ns), per_s, at(took_ms, 0.5), at(took_ms, 0.99), at(took_ms, 1))


def healthy(site: Site, name: str) -> Load:
    """Return a load on the healthy domains, in turn."""
    return Load(site, name, lambda name, number: site.request(number % HEALTHY, name, number))
