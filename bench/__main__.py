"""Measures delivery on this machine and compares it with what is promised; at most ten minutes, everything on one broker.

``python -m bench`` runs the parts of the other commands one after another, shorter than they are by themselves; ``--only``
runs some. Figures of different machines, or of a busy one, say little; ratios within a run say more.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bench import goals, growth, limits, open_loop, recovery, seeds
from bench.backlog import warm_up
from bench.cell import Conditions, cell
from bench.measure import at_once, from_backlog
from bench.report import Shown
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.tables import deliveries, work_peak_mib

_MB = 1e6
_MIB = 1024 * 1024
Parts = Mapping[str, Part]


async def _limits(rig: Rig, args: Namespace) -> Parts:
    asked = Namespace(tasks=args.tasks, turns=5, warm_tasks=5_000, records=300_000, seed=args.seed)
    return await limits.measure(rig, asked)


async def _throughput(rig: Rig, args: Namespace) -> Parts:
    rows: dict[str, Any] = {}
    for number in (1, 2):
        async with cell(rig, Conditions(workers=number, seed=args.seed)) as made:
            name = f"{number} worker{'s' * (number > 1)}"
            say(f"{name}: {args.tasks} tasks, publish and deliver, then as many from a backlog")
            rows[f"{name}, at once"] = await at_once(made, args.tasks)
            rows[f"{name}, backlog"] = await from_backlog(made, args.tasks)
    return {"throughput": Part([deliveries("20 domains, receiver at 0 ms; CPU in ms per delivery", rows)], rows)}


async def _open_loop(rig: Rig, args: Namespace) -> Parts:
    return await open_loop.measure(
        rig, Namespace(rates=[50.0, 500.0], share=0.8, seconds=15.0, tasks=args.tasks // 2, workers=1, seed=args.seed)
    )


async def _seeds(rig: Rig, args: Namespace) -> Parts:
    return await seeds.measure(rig, Namespace(seconds=20.0, seed=args.seed))


async def _domains(rig: Rig, args: Namespace) -> Parts:
    return await growth.domains(rig, Namespace(domains=[10, 10_000], tasks=args.tasks // 2, seed=args.seed))


async def _table(rig: Rig, args: Namespace) -> Parts:
    return await recovery.measure(rig, Namespace(sizes=[1_000_000], rounds=2))


QUESTIONS: dict[str, Callable[[Rig, Namespace], Awaitable[Parts]]] = {
    "limits": _limits,
    "throughput": _throughput,
    "open_loop": _open_loop,
    "seeds": _seeds,
    "domains": _domains,
    "table": _table,
}


def promised(parts: Parts) -> list[Shown]:
    """Judge what was measured; where it was not, nothing is said."""
    figures = {name: part.figures for name, part in parts.items()}
    shown = []
    if (found := figures.get("throughput")) is not None:
        most = found["2 workers, at once"]
        shown += [goals.ALL_IN.judge(most["all_in_ms"]), goals.PER_S.judge(most["per_s"])]
    if (found := figures.get("limits")) is not None:
        compared = found["compared"]
        shown += [
            goal.judge(compared[limits.WORKERS]["per_s"] / compared[of]["per_s"])
            for goal, of in ((goals.RATIO, limits.PARTS), (goals.RATIO_LITTLE, limits.LITTLE))
        ]
    if (found := figures.get("open_loop")) is not None:
        took = found["50/s"]["latency_ms"]
        shown += [goals.P50.judge(took["p50"]), goals.P99.judge(took["p99"])]
    if (found := figures.get("seeds")) is not None:
        shown += [
            goals.SEEDS_MEMORY.judge(work_peak_mib(found) * _MIB / _MB),
            goals.SEEDS_CPU.judge(found["cores"]["worker"] * 100),
            goals.SEEDS_MEAN.judge(found["gap_ms"]["mean"]),
            goals.SEEDS_P99.judge(found["gap_ms"]["p99"]),
        ]
    if (found := figures.get("domains")) is not None:
        shown.append(goals.DOMAINS.judge(found["10000 domains"]["per_s"] / found["10 domains"]["per_s"]))
    if (found := figures.get("table")) is not None:
        shown.append(goals.RECOVERY.judge(found["sizes"][-1]["recovery_s"]))
    extra = [each["beyond_one"] for each in _measurements(list(figures.values()))]
    return [*shown, goals.EXTRA_CALLS.judge(sum(extra))] if extra else shown


def _measurements(found: Any) -> list[Mapping[str, Any]]:
    """Return every measurement of deliveries in a tree of figures."""
    if isinstance(found, Mapping):
        return [found] if "beyond_one" in found else _measurements(list(found.values()))
    return [one for each in found for one in _measurements(each)] if isinstance(found, list) else []


def main() -> None:
    """Measure, print, and write the figures down."""
    flags = parser("", __doc__)
    flags.add_argument("--tasks", type=int, default=40_000, help="tasks of a throughput run")
    flags.add_argument("--only", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    args = flags.parse_args()

    async def measure(rig: Rig) -> Parts:
        await warm_up(rig)
        parts: dict[str, Part] = {}
        for name in args.only:
            parts |= await QUESTIONS[name](rig, args)
        return parts | {"promised": Part([], {}, promised(parts))}

    alone("", args, measure)


if __name__ == "__main__":
    main()
