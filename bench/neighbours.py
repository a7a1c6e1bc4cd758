"""What healthy domains feel of a dead one, and of one with a long backlog."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from bench.load import HEALTHY, Heard, Load, healthy
from bench.machine import forget_peak, peak_rss_mib, rss_mib
from bench.report import Shown
from bench.site import Site
from tests.support.worker import WorkerProcess

#: The domain that is not healthy.
ODD = HEALTHY
#: A share of throughput, and a factor of p99, that healthy domains keep.
LEAST_THROUGHPUT, MOST_P99 = 0.95, 1.5
MOST_GROWTH_MIB = 50
_WARM_S = 5.0
_SETTLE_S = 10.0
_PARKED_RATE = 10
#: What a lane at 10/s may keep in hand.
_IN_QUEUE = 100
#: The horizon's half: when the first of those come back that were promised no slot.
_BACK_S = 300.0
Say = Callable[[Shown], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything."""

    seconds: float = 60.0
    capacity_tasks: int = 10_000
    rate: float = 0.0
    share: float = 0.15
    dead_timeout_s: float = 30.0
    parked: int = 100_000
    back: bool = True


async def warm(site: Site, rate: float) -> None:
    """Let a worker that was just started meet its domains."""
    load = healthy(site, "warm")
    await load.run(rate, _WARM_S)
    await load.arrived()


async def capacity(site: Site, tasks: int) -> float:
    """Return what a worker delivers from a backlog, a second."""
    await site.publish(site.request(number % HEALTHY, "capacity", number) for number in range(tasks))
    await site.arrivals.until("capacity", tasks, 120)
    arrivals = site.arrivals.of("capacity")
    return len(arrivals) * 1e9 / (arrivals[-1].at_ns - arrivals[0].at_ns)


async def alone(site: Site, rate: float, seconds: float, say: Say) -> Heard:
    """Measure the healthy domains by themselves."""
    load = healthy(site, "alone")
    await load.run(rate, seconds)
    await load.arrived()
    say(Shown(f"(a) {HEALTHY} healthy domains alone: {load.heard()}"))
    return load.heard()


async def beside_dead(site: Site, rate: float, sizes: Sizes, base: Heard, say: Say) -> dict[str, Any]:
    """Measure them beside a domain that accepts connections and never answers, and gets half of all tasks."""
    timeout_ms = round(sizes.dead_timeout_s * 1000)
    dead = Load(site, "dead", lambda name, n: site.request(ODD, name, n, "silent", timeout_ms=timeout_ms))
    load = healthy(site, "beside-dead")
    await asyncio.gather(load.run(rate, sizes.seconds), dead.run(rate, sizes.seconds))
    await load.arrived()
    heard = load.heard()
    say(Shown(f"(b) beside a dead one with as many tasks, timeout {sizes.dead_timeout_s:g} s: {heard}"))
    _compare("(b)", heard, base, say)
    put_off = await site.deferrals(ODD)
    calls = len(site.arrivals.of("dead"))
    told = (
        f"its {len(dead.sent_ns)} tasks: {calls} calls, {put_off.total()} deferrals, at most {_most(put_off)} of a task"
    )
    say(Shown(f"    the dead domain, {sizes.seconds:g} s: {told}"))
    return asdict(heard) | {"dead_calls": calls, "dead_deferrals": put_off.total()}


def _compare(part: str, heard: Heard, base: Heard, say: Say) -> None:
    share = heard.per_s / base.per_s
    asked = f"at least {LEAST_THROUGHPUT:.0%}"
    say(
        Shown(
            f"{part} throughput {share:.1%} of (a), {asked}", share >= LEAST_THROUGHPUT and heard.arrived == heard.tasks
        )
    )
    factor = heard.p99_ms / base.p99_ms
    say(Shown(f"{part} p99 {factor:.2f} times that of (a), at most {MOST_P99}", factor <= MOST_P99))


async def beside_parked(
    site: Site, worker: WorkerProcess, rate: float, sizes: Sizes, base: Heard, say: Say
) -> dict[str, Any]:
    """Measure them beside a domain at 10/s with a backlog of hours; and the worker's memory."""
    await site.limit(ODD, f"{_PARKED_RATE}/s")
    fresh_mib = rss_mib(worker.pid)
    # What a worker needs at full speed is not what parked tasks cost: it has worked at full speed before.
    await capacity(site, sizes.capacity_tasks)
    await warm(site, rate)
    await asyncio.sleep(_SETTLE_S)
    before_mib, begun_s = rss_mib(worker.pid), time.monotonic()
    forget_peak(worker.pid)
    while_parking = await _while(site, "while-parking", rate, _park(site, sizes.parked))
    took_s = time.monotonic() - begun_s
    say(
        Shown(
            f"(c) {sizes.parked} tasks for one domain at {_PARKED_RATE}/s, written at once, were parked after {took_s:.0f} s"
        )
    )
    say(Shown(f"    neighbours meanwhile: {while_parking}"))
    load = healthy(site, "parked")
    await load.run(rate, sizes.seconds)
    await load.arrived()
    say(Shown(f"    neighbours once they are parked: {load.heard()}"))
    _compare("(c)", load.heard(), base, say)
    peak_mib, settled_mib = peak_rss_mib(worker.pid), rss_mib(worker.pid)
    figures = asdict(load.heard()) | {"while_parking": asdict(while_parking), "parked_after_s": took_s}
    if sizes.back:
        figures["back"] = await _as_they_come_back(site, rate, sizes.seconds, begun_s, say)
    grown = f"{fresh_mib:.0f} when it was fresh, after a backlog at full speed from {before_mib:.0f}"
    grown += f" to {settled_mib:.0f}, at most {peak_mib:.0f} MiB while they were parked"
    if sizes.back:
        grown += f", at most {peak_rss_mib(worker.pid):.0f} as they came back"
    most_mib = peak_rss_mib(worker.pid)
    say(
        Shown(
            f"(c) the worker's memory: {grown}; allowed is {MOST_GROWTH_MIB} more",
            most_mib - before_mib < MOST_GROWTH_MIB,
        )
    )
    _tell_backlog(site, await site.deferrals(ODD), say, figures)
    return figures | {
        "rss_mib": {
            "fresh": fresh_mib,
            "before": before_mib,
            "settled": settled_mib,
            "parking_peak": peak_mib,
            "peak": most_mib,
        }
    }


async def _park(site: Site, tasks: int) -> None:
    await site.publish(site.request(ODD, "backlog", number) for number in range(tasks))
    await site.taken_in("backlog", [ODD], tasks - _IN_QUEUE, 600)


async def _while(site: Site, name: str, rate: float, work: Awaitable[None]) -> Heard:
    """Measure the healthy domains for as long as something else lasts."""
    load = healthy(site, name)
    running = asyncio.create_task(load.run(rate, float("inf")))
    try:
        await work
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await load.arrived()
    return load.heard()


async def _as_they_come_back(site: Site, rate: float, seconds: float, begun_s: float, say: Say) -> dict[str, Any]:
    await asyncio.sleep(max(0.0, begun_s + _BACK_S + seconds - time.monotonic()))
    load = healthy(site, "coming-back")
    await load.run(rate, seconds)
    await load.arrived()
    say(Shown(f"    neighbours as those come back that were promised no slot: {load.heard()}"))
    return asdict(load.heard())


def _tell_backlog(site: Site, put_off: Counter[str], say: Say, figures: dict[str, Any]) -> None:
    calls = site.arrivals.of("backlog")
    lasted_s = (calls[-1].at_ns - calls[0].at_ns) / 1e9
    used = len(calls) / (lasted_s * _PARKED_RATE)
    mean = put_off.total() / max(1, len(put_off))
    say(
        Shown(
            f"    deferrals per task so far: {mean:.2f}, at most {_most(put_off)}; the domain's rate used: {used:.1%}"
        )
    )
    figures |= {"deferrals_per_task": mean, "most_deferrals": _most(put_off), "rate_used": used}


def _most(put_off: Counter[str]) -> int:
    return max(put_off.values(), default=0)
