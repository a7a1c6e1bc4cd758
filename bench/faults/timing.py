"""Cases of what waits on the tiers: its time, a full tier, and workers that come and go meanwhile (RELIABILITY §7 C)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from bench.crew import add
from bench.faults.case import NOISE_MS, Case, Finding, Scale
from bench.faults.ground import Ground
from bench.faults.lateness import lateness
from bench.faults.shown import found
from bench.faults.stage import Setting, Stage, stage, told_of
from bench.oracle import SUCCEEDED, Verdict
from bench.publish import open_loop
from bench.report import Shown
from bench.spread import at

_DOMAINS = 40
#: What RELIABILITY promises at its real scale, where tiers are 60 times as long.
_MOST_LATE_MS = 10_000
_LIVE_PER_S = 40.0
_MOST_P99 = 1.2


async def retries(ground: Ground, scale: Scale) -> Finding:
    """Let tasks fail four times, and compare each call with the time that was told for it."""
    seconds, per_s = (50.0, 100.0) if scale is Scale.FULL else (15.0, 40.0)
    async with stage(ground, Setting(_DOMAINS, workers=2)) as made:

        async def one(number: int) -> None:
            # 425 is tried again and opens no breaker, which would put calls off by itself.
            url = made.url(number % _DOMAINS, f"fail/4/425?{number}")
            await made.publish([{"url": url, "retry": {"intervals": ["1s", "2s", "5s", "10s"]}}])

        tasks = await open_loop(one, per_s, seconds)
        verdict = await made.ended(90)
    return _timely(made, verdict, {"tasks": tasks}, applied=True)


def _timely(
    made: Stage, verdict: Verdict, figures: Mapping[str, Any], *, applied: bool, most_ms: int = _MOST_LATE_MS
) -> Finding:
    """Return the finding of a stage on which every task waits, and succeeds."""
    late = lateness(made.told.items, made.domains.arrivals())
    shown = [
        Shown(f"anomalies: {told_of(verdict)[1]}", verdict.clean),
        Shown(f"ends {dict(verdict.ends)}, all succeeded", verdict.ends == {SUCCEEDED: verdict.tasks}),
        Shown(f"early: {late.early}", late.early == 0),
        Shown(f"late by {late.most_ms:g} ms, at most {most_ms}", late.most_ms <= most_ms),
        Shown(f"exit codes {list(made.exit_codes)}", not any(made.exit_codes)),
    ]
    more = {"waits": len(late.ordered_ms), "early": late.early, "late_most_ms": late.most_ms}
    return found(
        [*told_of(verdict), str(late)], shown, {**figures, **more}, applied=applied and len(late.ordered_ms) > 0
    )


async def full_tier(ground: Ground, scale: Scale) -> Finding:
    """Measure live tasks alone, then while a tier is full of others."""
    parked, seconds, delay_s = (100_000, 60.0, 300) if scale is Scale.FULL else (3_000, 12.0, 35)
    async with stage(ground, Setting(_DOMAINS)) as made:
        await _live_p99_ms(made, "warm", 5.0)
        alone_ms = await _live_p99_ms(made, "alone", seconds)
        begun_s = time.monotonic()
        await made.publish(
            {"url": made.url(n % _DOMAINS, f"parked/{n}"), "delay": f"{delay_s}s"} for n in range(parked)
        )
        await made.deferred(parked, delay_s)
        beside_ms = await _live_p99_ms(made, "beside", seconds)
        ended_s = time.monotonic()
        left = parked - sum("/parked/" in call.path for call in made.domains.arrivals())
        verdict = await made.ended(2.0 * delay_s)
    factor = beside_ms / alone_ms
    late = lateness(made.told.items, made.domains.arrivals())
    shown = [
        Shown(f"p99 {factor:.2f} times that alone", beside_ms <= max(_MOST_P99 * alone_ms, alone_ms + NOISE_MS[scale])),
        Shown(f"anomalies: {told_of(verdict)[1]}", verdict.clean and verdict.ends == {SUCCEEDED: verdict.tasks}),
        Shown(f"early: {late.early}", late.early == 0),
    ]
    told = [
        f"{left} on the tiers after {ended_s - begun_s:.0f} s",
        f"live p99 {alone_ms:.1f} alone, {beside_ms:.1f} ms beside",
    ]
    figures = {"parked": parked, "alone_p99_ms": alone_ms, "beside_p99_ms": beside_ms, "late_most_ms": late.most_ms}
    return found([*told, *told_of(verdict), str(late)], shown, figures, applied=left == parked)


async def _live_p99_ms(made: Stage, name: str, seconds: float) -> float:
    """Send tasks at once at a steady rate, and return the p99 of how long each took to arrive."""
    sent_ns: dict[str, int] = {}

    async def one(number: int) -> None:
        url = made.url(number % _DOMAINS, f"{name}/{number}")
        sent_ns[f"/{name}/{number}"] = time.monotonic_ns()
        await made.publish([{"url": url}])

    await open_loop(one, _LIVE_PER_S, seconds)
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        took_ms = [(call.at_ns - sent_ns[call.path]) / 1e6 for call in made.domains.arrivals() if call.path in sent_ns]
        if len(took_ms) >= len(sent_ns):
            return at(sorted(took_ms), 0.99)
        await asyncio.sleep(0.2)
    raise AssertionError(f"{len(sent_ns)} live tasks have not all arrived after 30 s")


async def rebalances(ground: Ground, scale: Scale) -> Finding:
    """Let a second worker join and leave, over and over, while tasks wait: within their delays, and longer than those."""
    rounds = 50 if scale is Scale.FULL else 3
    changes = 0
    async with stage(ground, Setting(_DOMAINS)) as made:
        done = asyncio.Event()

        async def one(number: int) -> None:
            if not done.is_set():
                url = made.url(number % _DOMAINS, str(number))
                await made.publish([{"url": url, "delay": f"{1 + number % 12}s"}])

        sending = asyncio.create_task(open_loop(one, 20.0, rounds * 60.0))
        for number in range(rounds):
            await add(made.place, made.workers)
            # Shorter than most of the delays, then longer than all of them.
            await asyncio.sleep(1 if number % 2 else 13)
            made.workers[-1].terminate()
            await made.workers.pop().ended()
            changes += 2
            await asyncio.sleep(1)
        done.set()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        verdict = await made.ended(60)
    return _timely(made, verdict, {"changes": changes}, applied=changes == 2 * rounds, most_ms=12_000 + _MOST_LATE_MS)


async def revokes(ground: Ground, scale: Scale) -> Finding:
    """Fill the tiers, then take every partition from who holds it: one joins, one is told to end, one is killed."""
    parked = 20_000 if scale is Scale.FULL else 1_500
    async with stage(ground, Setting(_DOMAINS, workers=2)) as made:
        waits = [20 + number % 10 for number in range(parked)]
        await made.publish({"url": made.url(n % _DOMAINS, str(n)), "delay": f"{waits[n]}s"} for n in range(parked))
        await made.deferred(parked)
        left = parked - len(made.domains.arrivals())
        await add(made.place, made.workers)
        made.workers[0].terminate()
        await made.workers.pop(0).ended()
        made.workers[0].kill()
        made.workers.pop(0)
        verdict = await made.ended(120)
    # Who is killed is missed for a session; what was due meanwhile waits for the next owner.
    return _timely(made, verdict, {"waiting": left}, applied=left == parked, most_ms=20_000)


TIMING = (
    Case("C1", "four retries a task on tiers of seconds", "none early, none later than 10 s", retries),
    Case(
        "C3", "a tier full of tasks beside live ones", "p99 of live tasks ≤ 1.2 times (and noise), none lost", full_tier
    ),
    Case("C4", "a second worker joins and leaves while tasks wait", "all resume, late ≤ the tier and 10 s", rebalances),
    Case("C5", "partitions of full tiers move: join, SIGTERM, kill -9", "none dropped, none early", revokes),
)
