"""The case of a worker whose clock is wrong, from its start or from one moment on (RELIABILITY §7 C6)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.faults.case import Case, Finding, Scale
from bench.faults.faketime import faketime
from bench.faults.ground import Ground
from bench.faults.shown import found
from bench.faults.stage import READY_S, Setting, Stage, now_ms, stage, told_of
from bench.oracle import SUCCEEDED, Anomaly
from bench.report import Shown
from streamer.wire.instants import format_instant, parse_instant
from tests.support.waiting import until
from tests.support.worker import WorkerProcess, worker_process

_DOMAINS = 40
#: What arrives this much before its time by the machine's clock is early; less is the clocks' own grain.
_GRAIN_MS = 5
#: A look each 10 s, and what a loaded machine adds.
_SEEN_S = 25.0
_SAYS = "worker.clock_skew"


async def clocks(ground: Ground, scale: Scale) -> Finding:
    """Start workers by a clock that is wrong; then let the clock of a running one step while tasks wait."""
    library = faketime()
    starts, steps, tasks = ((90, -90), (90, -90), 4_000) if scale is Scale.FULL else ((90,), (30,), 400)
    shown = [await _refused(ground, library, ahead_s) for ahead_s in starts]
    figures: dict[str, Any] = {}
    applied = True
    for ahead_s in steps:
        lines, figures[f"{ahead_s:+d} s"], seen_ms = await _stepped(ground, library, ahead_s, tasks)
        shown += lines
        applied &= seen_ms >= abs(ahead_s) * 1000 * 2 // 3
    return found([each.text for each in shown], shown, figures, applied=applied)


async def _refused(ground: Ground, library: Path, ahead_s: int) -> Shown:
    """Start a worker whose clock is wrong by more than a minute: it must end, and say why."""
    async with ground.installation({}) as place:
        clock = place.directory / "clock"
        _set(clock, ahead_s)
        async with worker_process(place, "wrong", env=_environment(library, clock)) as worker:
            await until(lambda: worker.exit_code is not None, READY_S)
            why = _SAYS in worker.stderr.read_text()
            return Shown(
                f"started by {ahead_s:+d} s: exit {worker.exit_code}, says why: {why}", worker.exit_code == 1 and why
            )


async def _stepped(
    ground: Ground, library: Path, ahead_s: int, tasks: int
) -> tuple[list[Shown], Mapping[str, Any], int]:
    """Return what is to hold, figures, and the largest difference of clocks that calls told of."""
    async with stage(ground, Setting(_DOMAINS)) as made:
        clock = made.place.directory / "clock"
        _set(clock, 0)
        worker = WorkerProcess(made.place, "wrong", (), _environment(library, clock))
        made.workers.append(worker)
        await worker.ready(READY_S)
        begun_ms, half = now_ms(), tasks // 2
        due_ms = [begun_ms + 10_000 + 20_000 * number // half for number in range(half)]
        timed = await made.publish(
            {"url": made.url(n % _DOMAINS, str(n)), "send_at": format_instant(due_ms[n])} for n in range(half)
        )
        await asyncio.sleep(3)
        _set(clock, ahead_s)
        stepped_s = time.monotonic()
        await made.publish(
            {"url": made.url(n % _DOMAINS, f"fail/2/425?{n}"), "retry": {"intervals": ["2s", "5s"]}}
            for n in range(half)
        )
        await until(lambda: _SAYS in worker.stderr.read_text() or time.monotonic() > stepped_s + _SEEN_S, 2 * _SEEN_S)
        seen, seen_s = _SAYS in worker.stderr.read_text(), time.monotonic() - stepped_s
        # A due time that one clock decided may be waited for by the other, twice.
        verdict = await made.ended(60 + 3 * abs(ahead_s))
    due = dict(zip(timed, due_ms, strict=True))
    calls = [call for call in made.domains.arrivals() if call.id in due]
    early = [due[call.id] - call.at_ms for call in calls if call.at_ms + _GRAIN_MS < due[call.id]]
    most_s, short, name = max(early, default=0) / 1000, _short(made), f"a step of {ahead_s:+d} s"
    # What is early is judged here, by how much.
    other = {kind: found for kind, found in verdict.anomalies.items() if found and kind is not Anomaly.EARLY}
    shown = [
        Shown(f"{name}: seen after {seen_s:.0f} s: {seen}", seen),
        Shown(f"{len(early)} of {half} early, by {most_s:.1f} s at most", most_s <= max(0, ahead_s) + 1),
        # One worker decides when a retry is due, another may release it: their clocks' difference is taken off or added.
        Shown(f"retries that came before their interval was over: {short}"),
        Shown(", ".join(told_of(verdict)), not other and verdict.ends == {SUCCEEDED: tasks}),
    ]
    seen_ms = _seen_ms(made)
    figures = {"early": len(early), "early_most_s": most_s, "short": short, "seen_ms": seen_ms, "seen_after_s": seen_s}
    return shown, figures, seen_ms


def _short(made: Stage) -> int:
    """Return how many second and third calls came sooner after the one before than their interval."""
    at_ms = {(call.id, call.attempt): call.at_ms for call in made.domains.arrivals()}
    least_ms = {2: 2_000, 3: 5_000}
    return sum(
        at - at_ms[task, attempt - 1] < least_ms.get(attempt, 0)
        for (task, attempt), at in at_ms.items()
        if (task, attempt - 1) in at_ms
    )


def _seen_ms(made: Stage) -> int:
    """Return by how much the wrong clock differed from the receivers', by the calls that its worker told of."""
    at_ms = {(call.id, call.attempt): call.at_ms for call in made.domains.arrivals()}
    return max(
        (
            abs(parse_instant(result["started_at"]) - at_ms[result["task_id"], result["attempt"]])
            for result in made.told.items
            if "started_at" in result and (result["task_id"], result["attempt"]) in at_ms
        ),
        default=0,
    )


def _set(clock: Path, ahead_s: int) -> None:
    clock.write_text(f"{ahead_s:+d}s\n")


def _environment(library: Path, clock: Path) -> Mapping[str, str]:
    # A wrong wall clock is the fault; no machine's monotonic clock jumps. Read once a second: at each call it would take
    # the event loop's time.
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


CLOCKS = (
    Case(
        "C6",
        "a worker starts by a wrong clock; the clock of one of two steps while tasks wait",
        "does not start; the step is seen, early by no more than it, none lost",
        clocks,
    ),
)
