"""Cases of what a domain may be sent: rates, neighbours, breakers, herds (RELIABILITY §7 C)."""

from __future__ import annotations

import math

from bench import neighbours, rate_test
from bench.faults.case import NOISE_MS, Case, Finding, Scale
from bench.faults.ground import Ground
from bench.faults.shown import found
from bench.load import HEALTHY
from bench.report import Shown
from bench.site import site
from tests.support.worker import worker_process

#: The product's defaults: calls at once for one domain, failures in a row that open its breaker, and its first opening.
_AT_ONCE, _IN_ROW, _OPEN_S = 20, 5, 10.0


async def rate(ground: Ground, scale: Scale) -> Finding:
    """Give a domain 10/s while a worker joins, its owner is killed, and the next owner is told to end."""
    seconds = 240.0 if scale is Scale.FULL else 60.0
    async with site(ground.broker, ground.directory, "rate", 1) as made:
        course, at_s, began_s = await rate_test.run(made, seconds)
    shown, figures = rate_test.judge(course, at_s, began_s)
    told = [
        f"{figures['calls']} calls in {figures['lasted_s']:.0f} s",
        f"beyond the rate {figures['beyond']:+.2f}",
        f"used {figures['used_without_session']:.1%} without the dead owner's session",
    ]
    return found(told, shown, figures, applied=len(course.events) == 3)


async def dead_domain(ground: Ground, scale: Scale) -> Finding:
    """Give half of all tasks to one domain that never answers, and measure the others against themselves alone."""
    sizes = neighbours.Sizes(seconds=60.0, dead_timeout_s=30.0)
    rate_per_s = 100.0
    if scale is Scale.SHORT:
        sizes, rate_per_s = neighbours.Sizes(seconds=15.0, dead_timeout_s=4.0), 40.0
    lines: list[Shown] = []
    async with site(ground.broker, ground.directory, "dead", HEALTHY + 1) as made, worker_process(made.place) as worker:
        await worker.ready()
        await neighbours.warm(made, rate_per_s)
        base = await neighbours.alone(made, rate_per_s, sizes.seconds, lines.append)
        figures = await neighbours.beside_dead(made, rate_per_s, sizes, base, lines.append)
    # All that may go before the first of them has timed out, one for each of these before the row opens the breaker, then
    # a probe each time that it has been open.
    budget = _AT_ONCE + _IN_ROW - 1 + math.ceil(sizes.seconds / _OPEN_S) + 1
    calls, p99_ms = figures["dead_calls"], figures["p99_ms"]
    most_ms = max(neighbours.MOST_P99 * base.p99_ms, base.p99_ms + NOISE_MS[scale])
    shown = [
        Shown(f"p99 alone {base.p99_ms:.0f}, beside {p99_ms:.0f} ms, at most {most_ms:.0f}", p99_ms <= most_ms),
        Shown(f"arrived {figures['arrived']} of {figures['tasks']}", figures["arrived"] == figures["tasks"]),
        Shown(f"calls to the dead domain {calls}, at most {budget}", calls <= budget),
    ]
    applied = calls > 0 and figures["dead_deferrals"] > 0
    return found([each.text for each in shown], shown, {**figures, "alone_p99_ms": base.p99_ms}, applied=applied)


LIMITS = (
    Case(
        "C2",
        "one domain of 41 never answers, and gets half of all tasks",
        "others' p99 ≤ 1.5 times (and noise), dead one within its breaker's budget",
        dead_domain,
    ),
    Case(
        "C10",
        "a domain at 10/s: a worker joins, the owner is killed, the next one ends",
        "never beyond 10·t + 10, ≥ 95 % used",
        rate,
    ),
)
