"""How fast is it? A backlog, and publishing and delivering at once: domains 1 and 20, receiver at 0 and 20 ms, workers 1 and 2.

``python -m bench.backlog --tasks 100000`` prints a row for each of the eight; the workers are ready before the backlog is.
"""

from __future__ import annotations

import argparse
from itertools import product

from bench.cell import Conditions, cell
from bench.measure import Figures, at_once, from_backlog
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.tables import deliveries

#: Java compiles what is used often; the first cell would pay for all.
WARM_TASKS = 5_000


async def warm_up(rig: Rig, tasks: int = WARM_TASKS) -> None:
    """Let the broker do what is measured later once before."""
    say(f"warming up: {tasks} tasks")
    async with cell(rig, Conditions()) as made:
        await from_backlog(made, tasks)


async def measure(rig: Rig, args: argparse.Namespace) -> dict[str, Part]:
    """Measure every cell that is asked for."""
    rows: dict[str, Figures] = {}
    for workers, delay_ms, domains in product(args.workers, args.delays, args.domains):
        conditions = Conditions(domains, delay_ms, workers, seed=args.seed)
        name = f"{workers} worker{'s' * (workers > 1)}, {domains} domain{'s' * (domains > 1)}, {delay_ms:g} ms"
        async with cell(rig, conditions) as made:
            say(f"{name}: {args.tasks} tasks from a backlog")
            rows[f"{name}, backlog"] = await from_backlog(made, args.tasks, args.within)
            say(f"{name}: {args.tasks} tasks, publish and deliver")
            rows[f"{name}, at once"] = await at_once(made, args.tasks, within_s=args.within)
    return {"backlog": Part([deliveries("deliveries; CPU in ms per delivery", rows)], rows)}


def main() -> None:
    """Measure the cells one after another."""
    flags = parser("backlog", __doc__)
    flags.add_argument("--tasks", type=int, default=100_000, help="tasks of each run")
    flags.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    flags.add_argument("--domains", type=int, nargs="+", default=[1, 20])
    flags.add_argument("--delays", type=float, nargs="+", default=[0.0, 20.0], help="ms from a call to its answer")
    flags.add_argument("--within", type=float, default=600.0, help="seconds after which a run is given up")
    args = flags.parse_args()

    async def all_of_it(rig: Rig) -> dict[str, Part]:
        await warm_up(rig)
        return await measure(rig, args)

    alone("backlog", args, all_of_it)


if __name__ == "__main__":
    main()
