"""Cases of targets that go down and come back: the breaker, and the herd behind it (RELIABILITY §7 C)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.beat import excess
from bench.faults.case import Case, Finding, Scale
from bench.faults.ground import Ground
from bench.faults.shown import found
from bench.faults.stage import Setting, Stage, stage
from bench.faults.target import Hit, Target, target
from bench.oracle import SUCCEEDED
from bench.publish import open_loop
from bench.report import Shown
from streamer.wire.instants import parse_instant
from tests.support.waiting import until

#: Failures in a row that open it, and how long it stays open.
_IN_ROW, _OPEN_S, _OPEN_MOST_S = 5, 1.0, 4.0
#: One call at once, so that the order of calls is that of their ends; no share, so that only a row opens it.
_STRICT: Mapping[str, str | int | float | bool] = {
    "worker.domain_concurrency": 1,
    "lanes.breaker.failures_in_row": _IN_ROW,
    "lanes.breaker.open": f"{_OPEN_S:g}s",
    "lanes.breaker.open_most": f"{_OPEN_MOST_S:g}s",
    "lanes.breaker.least_calls": 1_000_000,
}
#: What a way back over hold, and a loaded machine, add to the end of an opening.
_SLACK_S = 3.0
_DOWN_S = 5.0
_WITHIN_S = 60.0
_LONG_S = 25.0
_RATE, _BURST = 20, 20
_AT_ONCE = 20
#: Results tell whole ms.
_GRAIN_S = 0.001


@dataclass(frozen=True, slots=True)
class Flap:
    """One time that a target was down: the calls that it refused, and how long after its recovery it was called freely again."""

    refused: int
    closed_after_s: float


def breaches(hits: Sequence[Hit], open_s: float) -> list[float]:
    """Return for each call that came into an opening by how many s it came too soon.

    A failure that is at least the fifth in a row opens the breaker, or keeps it open.
    """
    early, row, opened_s = [], 0, float("-inf")
    for hit in hits:
        if hit.at_s < opened_s + open_s:
            early.append(opened_s + open_s - hit.at_s)
        row = 0 if hit.good else row + 1
        if row >= _IN_ROW:
            opened_s = hit.at_s
    return early


async def flapping(ground: Ground, scale: Scale) -> Finding:
    """Let a target go down and come back over and over; then kill the worker while the breaker of another is open."""
    rounds = 100 if scale is Scale.FULL else 3
    async with target() as one, target() as other, stage(ground, Setting(1, settings=_STRICT)) as made:
        load = asyncio.create_task(open_loop(lambda n: _call(made, one, n), 15.0, float("inf")))
        await until(lambda: len(one.hits) > _IN_ROW, _WITHIN_S)
        flaps = [await _flap(one) for _ in range(rounds)]
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        after_kill_s, killed = await _killed_while_open(made, other)
        await made.ended(_WITHIN_S)
    early = breaches(one.hits, _OPEN_S)
    # After the row that opens it, one probe an opening.
    most = _IN_ROW + round(_DOWN_S / _OPEN_S) + 1
    refused, closed_s = max(flap.refused for flap in flaps), max(flap.closed_after_s for flap in flaps)
    opened = sum(flap.refused >= _IN_ROW for flap in flaps)
    shown = [
        Shown(f"calls into an opening: {[round(each, 3) for each in early]}", not early),
        Shown(f"refused calls while it was down at most {refused}, allowed {most}", refused <= most),
        Shown(f"closed {closed_s:.1f} s after it came back, at most", closed_s <= _OPEN_MOST_S + _SLACK_S),
        Shown(
            f"after the kill the next call came {after_kill_s:.1f} s after the opening of {_LONG_S:g} s began",
            _LONG_S <= after_kill_s <= _LONG_S + 10,
        ),
    ]
    figures = {"flaps": rounds, "refused_most": refused, "closed_after_s": closed_s, "after_kill_s": after_kill_s}
    return found(
        [f"{rounds} flaps", *[each.text for each in shown]], shown, figures, applied=opened == rounds and killed
    )


async def _call(made: Stage, whom: Target, number: int) -> None:
    # Those that are refused are tried again: what waits is there to be called too soon.
    await made.publish([{"url": f"{whom.url}/{number}", "retry": {"intervals": ["1s"] * 10}}])


async def _flap(whom: Target) -> Flap:
    """Take a target down for a while, and wait until it is called freely again."""
    down_s = whom.turn(healthy=False)
    await asyncio.sleep(_DOWN_S)
    up_s = whom.turn(healthy=True)
    # Two successes close it; a third that follows shows that it has.
    await until(lambda: len(whom.since(up_s)) >= 3, _WITHIN_S)
    closed_s = whom.since(up_s)[2].at_s - up_s
    # An opening after less calm than the last one lasted would be a longer one.
    await asyncio.sleep(_OPEN_MOST_S)
    return Flap(len(whom.since(down_s, up_s)), closed_s)


async def _killed_while_open(made: Stage, whom: Target) -> tuple[float, bool]:
    """Open the breaker of a domain for long, kill its worker at once; return when it was next called after the opening."""
    lane = whom.url.removeprefix("http://")
    await made.configure_lane(lane, breaker={"failures_in_row": _IN_ROW, "open": f"{_LONG_S:g}s", "open_most": "1m"})
    whom.turn(healthy=False)
    for number in range(40):
        await _call(made, whom, number)
    await until(lambda: len(whom.hits) >= _IN_ROW, _WITHIN_S)
    opened_s = whom.hits[_IN_ROW - 1].at_s
    # The opening is told on the changelog; what a crash before that forgets is a row of failures more.
    await asyncio.sleep(1)
    before = len(whom.hits)
    await made.kill_all(0)
    whom.turn(healthy=True)
    await until(lambda: len(whom.hits) > before, _LONG_S + _WITHIN_S)
    return whom.hits[before].at_s - opened_s, before == _IN_ROW


async def herd(ground: Ground, scale: Scale) -> Finding:
    """Let tasks gather behind two targets that are down, one with a rate and one without, and bring both back."""
    tasks, down_s = (5_000, 600.0) if scale is Scale.FULL else (400, 15.0)
    retry = {"backoff": {"initial": "1s", "multiplier": 2, "max": "8s", "jitter": 0.5}, "max_attempts": 10}
    settings = {"lanes.breaker.open": "1s", "lanes.breaker.open_most": "8s", "lanes.rate": "1000/s"}
    async with target() as limited, target() as free, stage(ground, Setting(1, workers=2, settings=settings)) as made:
        await made.configure_lane(limited.url.removeprefix("http://"), rate=f"{_RATE}/s", burst=_BURST)
        down = [each.turn(healthy=False) for each in (limited, free)]
        await made.publish({"url": f"{each.url}/{n}", "retry": retry} for n in range(tasks) for each in (limited, free))
        await asyncio.sleep(max(0.0, down[0] + down_s - time.monotonic()))
        up_s = [each.turn(healthy=True) for each in (limited, free)]
        await made.results.until_ended(made.told, made.accepted, tasks / _RATE * 2 + _WITHIN_S)  # type: ignore[arg-type]
        verdict = await made.ended(1)
    beyond = excess([hit.at_s for hit in limited.hits], _RATE, _BURST)
    begun = excess(_begun_s(made, limited), _RATE, _BURST)
    back = free.since(up_s[1])
    at_once = _most_at_once(back)
    first_s = sum(hit.at_s < back[0].at_s + 1 for hit in back)
    calls = max(len(limited.hits), len(free.hits)) / tasks
    succeeded = verdict.ends.get(SUCCEEDED, 0)
    shown = [
        # A limiter knows when calls begin; what one is longer on its way than the next is seen by the target alone.
        Shown(f"with {_RATE}/s: {begun.calls:+.2f} beyond it as they begin", begun.calls <= _RATE * _GRAIN_S),
        Shown(f"{beyond.calls:+.2f} as they arrive"),
        Shown(f"without a rate: {at_once} at once, at most {_AT_ONCE}", at_once <= _AT_ONCE),
        Shown(f"{succeeded} of {2 * tasks} succeeded", succeeded == 2 * tasks),
        Shown(f"{calls:.2f} calls a task, at most 1.5", calls <= 1.5),
    ]
    down_calls = [len(each.hits) - len(each.since(up)) for each, up in zip((limited, free), up_s, strict=True)]
    told = [
        f"down {down_s:g} s: {down_calls} calls",
        *[each.text for each in shown],
        f"{first_s} in the first second back",
    ]
    return found(told, shown, {"down_calls": down_calls, "first_second": first_s}, applied=min(down_calls) > 0)


def _begun_s(made: Stage, whom: Target) -> list[float]:
    lane = whom.url.removeprefix("http://")
    began = (result["started_at"] for result in made.told.items if result["lane"] == lane and "started_at" in result)
    return sorted(parse_instant(each) / 1000 for each in began)


def _most_at_once(hits: Sequence[Hit]) -> int:
    """Return how many calls were being answered at one moment; each takes the target 20 ms."""
    at_s = [hit.at_s for hit in hits]
    begin, most = 0, 0
    for number, at in enumerate(at_s):
        while at_s[begin] <= at - 0.02:
            begin += 1
        most = max(most, number - begin + 1)
    return most


BREAKERS = (
    Case(
        "C11",
        "a target flaps; a worker is killed while a breaker is open",
        "opens by the 5th failure, one probe an opening, closes within 7 s, stays open over a kill",
        flapping,
    ),
    Case("C13", "tasks gather behind targets that are down, then come back", "peak within rate and concurrency", herd),
)
