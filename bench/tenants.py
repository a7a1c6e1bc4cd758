"""What two businesses feel of each other in one lane, and what an urgent task feels of those that wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bench.load import HEALTHY, Load
from bench.report import Shown
from bench.site import Site

#: The domain that both businesses call, and the one with a rate.
SHARED, SLOW = HEALTHY + 1, HEALTHY + 2
MOST_P99 = 2.0
#: An urgent task is one of so many next.
MOST_BEFORE = 3
#: The domain answers after 100 to 300 ms: with 20 calls at once A keeps it busy at up to 100/s, which by itself is little
#: work for this machine.
_ANSWER_MS, _VARY_MS = 100, 201
_RATE = 10
#: What a lane without a rate may keep in hand, and what is on its way through it.
_IN_QUEUE = 11_000
Say = Callable[[Shown], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; B's rate is a twentieth of the 100/s that 20 calls of 200 ms are."""

    tasks: int = 100_000
    seconds: float = 120.0
    per_s: float = 5.0
    waiting: int = 10_000
    urgent: int = 20


async def turns(site: Site, sizes: Sizes, say: Say) -> dict[str, Any]:
    """Measure B alone, then beside A's backlog for the same domain."""
    alone = _of_b(site, "b-alone")
    await alone.run(sizes.per_s, sizes.seconds)
    await alone.arrived()
    say(
        Shown(
            f"(d) business B alone at a domain that answers after {_ANSWER_MS} to {_ANSWER_MS + _VARY_MS - 1} ms: {alone.heard()}"
        )
    )
    meanwhile = _of_b(site, "b-meanwhile")
    running = asyncio.create_task(meanwhile.run(sizes.per_s, float("inf")))
    begun_s = time.monotonic()
    await site.publish(site.request(SHARED, "a", n, f"delay/{_answer_ms(n)}", business="a") for n in range(sizes.tasks))
    await site.taken_in("a", [SHARED], sizes.tasks - min(_IN_QUEUE, sizes.tasks // 2), 600)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await meanwhile.arrived(120)
    took_s = time.monotonic() - begun_s
    say(Shown(f"    while {sizes.tasks} of business A are taken in, {took_s:.0f} s: {meanwhile.heard()}"))
    beside, called = _of_b(site, "b-beside"), len(site.arrivals.of("a"))
    begun_s = time.monotonic()
    await beside.run(sizes.per_s, sizes.seconds)
    now_called, lasted_s = len(site.arrivals.of("a")), time.monotonic() - begun_s
    await beside.arrived()
    left = sizes.tasks - now_called
    say(Shown(f"    beside A's backlog: {beside.heard()}; A at {(now_called - called) / lasted_s:.0f}/s, {left} left"))
    factor = beside.heard().p99_ms / alone.heard().p99_ms
    came = beside.heard().arrived == beside.heard().tasks and left > 0
    say(Shown(f"(d) p99 of B {factor:.2f} times that of B alone, at most {MOST_P99:g}", came and factor <= MOST_P99))
    figures = {"alone": alone.heard(), "meanwhile": meanwhile.heard(), "beside": beside.heard()}
    return {name: asdict(heard) for name, heard in figures.items()} | {"a_per_s": (now_called - called) / lasted_s}


def _of_b(site: Site, name: str) -> Load:
    return Load(site, name, lambda name, n: site.request(SHARED, name, n, f"delay/{_answer_ms(n)}", business="b"))


def _answer_ms(number: int) -> int:
    """Return how long the domain takes for a task: 38 and 201 have no common divisor, so that every time occurs."""
    return _ANSWER_MS + number * 38 % _VARY_MS


async def urgency(site: Site, sizes: Sizes, say: Say) -> dict[str, Any]:
    """Count the calls that go before a new task of priority 1, while thousands of priority 5 wait."""
    await site.limit(SLOW, f"{_RATE}/s")
    await site.publish(site.request(SLOW, "five", n, priority=5) for n in range(sizes.waiting))
    await site.taken_in("five", [SLOW], sizes.waiting - _RATE * 10, 300)
    load = Load(site, "one", lambda name, n: site.request(SLOW, name, n, priority=1))
    await load.run(0.7, sizes.urgent / 0.7)
    await load.arrived()
    five_ns = [arrival.at_ns for arrival in site.arrivals.of("five")]
    before = []
    for number, arrival in enumerate(site.arrivals.of("one")):
        before.append(sum(load.sent_ns[number] <= at_ns < arrival.at_ns for at_ns in five_ns))
    waits_ms = f"after p50 {load.heard().p50_ms:.0f}, at most {load.heard().most_ms:.0f} ms"
    say(
        Shown(
            f"(d) {sizes.waiting} tasks of priority 5 wait at {_RATE}/s; {len(before)} new ones of priority 1 arrive {waits_ms}"
        )
    )
    counts = ", ".join(map(str, before))
    good = len(before) == len(load.sent_ns) and max(before) <= MOST_BEFORE
    say(Shown(f"(d) calls that went before each: {counts}; at most {MOST_BEFORE} are allowed", good))
    return {"calls_before": before, **asdict(load.heard())}
