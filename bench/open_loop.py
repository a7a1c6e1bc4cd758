"""How soon does a task arrive? At a steady rate whatever comes of it: 50/s, 500/s, and 80 % of what was just measured.

``python -m bench.open_loop`` times each task from before its produce to its arrival, by the receiver's clock.
"""

from __future__ import annotations

import argparse

from bench.cell import Conditions, cell
from bench.measure import Figures, at_once, steady
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.tables import deliveries, spreads

_WARM_PER_S, _WARM_S = 100.0, 3.0


async def measure(rig: Rig, args: argparse.Namespace) -> dict[str, Part]:
    """Measure the capacity, then latency at each rate, all with the same worker."""
    rows: dict[str, Figures] = {}
    async with cell(rig, Conditions(workers=args.workers, seed=args.seed)) as made:
        await steady(made, _WARM_PER_S, _WARM_S)
        rates = {f"{rate:g}/s": rate for rate in args.rates}
        if args.share:
            say(f"what it delivers at most: {args.tasks} tasks, publish and deliver")
            rows["as fast as it goes"] = most = await at_once(made, args.tasks)
            rates[f"{args.share:.0%} of that"] = round(args.share * most["per_s"])
        for name, rate in rates.items():
            say(f"{name}, {rate:g}/s for {args.seconds:g} s")
            rows[name] = await steady(made, rate, args.seconds)
    latencies = {name: rows[name]["latency_ms"] for name in rates}
    tables = [spreads("produce → arrival", latencies, "ms"), deliveries("the same; CPU in ms per delivery", rows)]
    return {"open_loop": Part(tables, rows)}


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add how much of everything."""
    flags.add_argument("--rates", type=float, nargs="+", default=[50.0, 500.0], help="tasks a second")
    flags.add_argument("--share", type=float, default=0.8, help="of the capacity, as one more rate; 0 for none")
    flags.add_argument("--seconds", type=float, default=30.0, help="for which each rate lasts")
    flags.add_argument("--tasks", type=int, default=20_000, help="by which the capacity is measured")
    flags.add_argument("--workers", type=int, default=1)


def main() -> None:
    """Measure each rate."""
    flags = parser("open_loop", __doc__)
    add_flags(flags)
    args = flags.parse_args()
    alone("open_loop", args, lambda rig: measure(rig, args))


if __name__ == "__main__":
    main()
