"""Crews that are compared, in turns: a machine whose speed changes by the minute changes it for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import fmean
from typing import Any

from bench.cell import Conditions, Crew, cell
from bench.measure import Figures, at_once
from bench.rig import Rig


async def in_turns(
    rig: Rig, crews: Mapping[str, Crew], conditions: Conditions, *, turns: int, tasks: int, warm_tasks: int
) -> dict[str, Figures]:
    """Return what each crew did over all its turns of publishing and delivering at once.

    All run from first to last, each on topics and with a receiver of its own; every second round goes the other way.
    """
    found: dict[str, list[Figures]] = {name: [] for name in crews}
    async with AsyncExitStack() as stack:
        cells = {name: await stack.enter_async_context(cell(rig, conditions, crew)) for name, crew in crews.items()}
        for made in cells.values():
            await at_once(made, warm_tasks)
        for turn in range(turns):
            for name in list(cells)[:: 1 if turn % 2 == 0 else -1]:
                found[name].append(await at_once(cells[name], tasks))
    return {name: summed(each) for name, each in found.items()}


def summed(turns: Sequence[Figures]) -> Figures:
    """Return one measurement of several with as many tasks each."""
    tasks, took_s = sum(each["tasks"] for each in turns), sum(each["took_s"] for each in turns)
    calls = sum(each["calls"] for each in turns)
    return {
        "turns": list(turns),
        "tasks": tasks,
        "calls": calls,
        "beyond_one": calls - tasks,
        "took_s": round(took_s, 3),
        "per_s": round(tasks / took_s, 1),
        "all_in_ms": _mean(each["all_in_ms"] for each in turns),
        "cpu_ms": {name: _mean(each["cpu_ms"][name] for each in turns) for name in turns[0]["cpu_ms"]},
        # Of a crew that goes on, the last turn's peak is that of all.
        "memory_mib": turns[-1]["memory_mib"],
        "others_cores": max(each["others_cores"] for each in turns),
        **_outcomes(turns),
    }


def _outcomes(turns: Sequence[Figures]) -> dict[str, Any]:
    return {"put_off": sum(each["put_off"] for each in turns)} if "put_off" in turns[0] else {}


def _mean(values: Any) -> float:
    return round(fmean(values), 4)
