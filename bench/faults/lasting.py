"""Cases that last: what grows in a worker that works for hours, and in one that has nothing to do (RELIABILITY §7 B19, F6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench.faults.case import Case, Finding, Scale
from bench.faults.faketime import faketime
from bench.faults.field import Field, under_load
from bench.faults.findings import found
from bench.faults.ground import Ground
from bench.faults.growth import Sample, growth, sampled, slope_per_h
from bench.faults.load import Load
from bench.faults.stage import READY_S, Setting, now_ms, stage
from bench.ledgers import stages
from bench.oracle import SUCCEEDED
from streamer.wire.instants import parse_instant
from tests.support.progress import all_committed
from tests.support.worker import WorkerProcess

_COMMITTED_S = 60.0
#: An ended task is known for an hour: until then the table fills, and what it holds is no leak.
_FILLING_S = 4_200.0
_MOST_MIB_PER_H = 1_000_000 / 1024**2
#: What open calls and one poll more or less make.
_SPREAD_FDS, _SPREAD_THREADS = 64, 2
#: How fast the clock is by which a worker idles.
_SPEED = 30
_WARM_S = 7_200.0
_LOOKS, _TASKS, _ENDED_S = 400, 20, 60.0


async def soak(ground: Ground, scale: Scale) -> Finding:
    """Work for two hours, with a kill every five minutes of all workers but one, whose memory is what is looked at."""
    seconds, every_s, look_s = (7_200.0, 300.0, 15.0) if scale is Scale.FULL else (90.0, 30.0, 1.0)
    load = Load(seconds, rate_per_s=100, static=True, quiesce_s=600)
    samples: list[Sample] = []

    async def look(worker: WorkerProcess) -> None:
        while True:
            samples.append(sampled(worker.pid))
            await asyncio.sleep(look_s)

    async def harm(field: Field) -> None:
        began_s = time.monotonic()
        looking = asyncio.create_task(look(field.workers[0]))
        for number in range(1, int(seconds / every_s) + 1):
            await asyncio.sleep(max(0.0, began_s + (number - 0.5) * every_s - time.monotonic()))
            await field.kill_and_start(1 + number % (load.workers - 1))
        await field.sent.wait()
        looking.cancel()
        await field.settled()
        place = field.place
        await all_committed(place.bootstrap, place.partitions, stages(place), _COMMITTED_S)

    outcome = await under_load(ground, load, harm)
    steady = [each for each in samples if each.at_s - samples[0].at_s > _FILLING_S] if scale is Scale.FULL else samples
    figures = _held(samples, steady)
    # A minute and a half says nothing of hours: there a start's own growth is all that is seen.
    flat = figures["mib_per_h"] < _MOST_MIB_PER_H or scale is Scale.SHORT
    return Finding(
        f"{found(outcome, applied=True, holds=True).measured}, {_told(figures)}, all committed",
        len(outcome.field.made) >= int(seconds / every_s),
        outcome.clean and flat and _few(figures),
        {**outcome.figures(), **figures, "samples": [[*_row(each, samples[0])] for each in samples]},
    )


def _held(samples: Sequence[Sample], steady: Sequence[Sample]) -> Mapping[str, Any]:
    return {
        "mib_per_h": round(slope_per_h(steady), 3),
        "steady_s": round(steady[-1].at_s - steady[0].at_s),
        "rss_mib": [round(each, 1) for each in (samples[0].rss_mib, steady[0].rss_mib, steady[-1].rss_mib)],
        "more_descriptors": growth(steady, "descriptors"),
        "more_threads": growth(steady, "threads"),
        "descriptors": max(each.descriptors for each in samples),
        "threads": max(each.threads for each in samples),
    }


def _few(figures: Mapping[str, Any]) -> bool:
    return bool(figures["more_descriptors"] <= _SPREAD_FDS and figures["more_threads"] <= _SPREAD_THREADS)


def _told(figures: Mapping[str, Any]) -> str:
    first, filled, last = figures["rss_mib"]
    return (
        f"memory {first:.0f}, {filled:.0f}, {last:.0f} MiB, {figures['mib_per_h']:+.2f} MiB/h over the last "
        f"{figures['steady_s']} s, descriptors {figures['more_descriptors']:+d} (≤ {figures['descriptors']}), "
        f"threads {figures['more_threads']:+d} (≤ {figures['threads']})"
    )


def _row(sample: Sample, first: Sample) -> tuple[float, float, int, int]:
    return round(sample.at_s - first.at_s, 1), round(sample.rss_mib, 2), sample.descriptors, sample.threads


async def left_alone(ground: Ground, scale: Scale) -> Finding:
    """Leave a worker without work for a day by its own clock, which is fast, and then send it some."""
    library = faketime()
    hours = 24.0 if scale is Scale.FULL else 0.5
    # Of the broker's clock, which is slower, a session lasts ten seconds all the same.
    settings: Mapping[str, str | int | float | bool] = {
        "kafka.session_timeout_s": 10 * _SPEED,
        "worker.clock_skew": "0s",
    }
    async with stage(ground, Setting(_TASKS, settings=settings, workers=0)) as made:
        clock = made.place.directory / "clock"
        clock.write_text("+0\n")
        env = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1"}
        worker = WorkerProcess(made.place, "alone", (), env)
        made.workers.append(worker)
        await worker.ready(READY_S)
        # From now on: a start waits for the broker, by timers that would all be too short.
        clock.write_text(f"+0 x{_SPEED}\n")
        samples, began_ms = [], now_ms()
        for _ in range(_LOOKS):
            await asyncio.sleep(hours * 3600 / _SPEED / _LOOKS)
            samples.append(sampled(worker.pid, _SPEED))
        idled_ms = now_ms() - began_ms
        await made.publish({"url": made.url(number, str(number))} for number in range(_TASKS))
        verdict = await made.ended(_ENDED_S)
    ahead_ms = min(parse_instant(each["started_at"]) for each in made.told.items if "started_at" in each) - now_ms()
    # What a start loads late is over after two hours.
    steady = [each for each in samples if each.at_s - samples[0].at_s > _WARM_S] if scale is Scale.FULL else samples
    figures = _held(samples, steady)
    flat = figures["mib_per_h"] < _MOST_MIB_PER_H or scale is Scale.SHORT
    good = verdict.clean and verdict.ends == {SUCCEEDED: _TASKS} and not any(made.exit_codes)
    return Finding(
        f"{idled_ms * _SPEED / 3.6e6:.1f} h in {idled_ms / 60_000:.0f} min, {_told(figures)}, then {dict(verdict.ends)}",
        # Its clock has run away from the broker's by as much as it is faster.
        ahead_ms >= idled_ms * (_SPEED - 1) * 0.9,
        flat and _few(figures) and good,
        {**figures, "ahead_s": ahead_ms / 1000, "samples": [[*_row(each, samples[0])] for each in samples]},
    )


LASTING = (
    Case(
        "B19",
        "two hours at 100/s, a kill every five minutes",
        "no anomaly, memory < 1 MB/h once the table is full, descriptors and threads flat, all committed",
        soak,
    ),
    Case(
        "F6",
        "a worker has nothing to do for a day, by a clock that is 30 times as fast",
        "memory < 1 MB/h of that day, descriptors and threads flat, then it works",
        left_alone,
    ),
)
