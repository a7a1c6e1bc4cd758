"""What a build machine asks of performance: ratios within one run, in a minute; rates of a busy machine say nothing.

``python -m bench.short`` exits 1 when a task costs too many times what the parts alone do, or when one is called twice.
"""

from __future__ import annotations

import os

from bench import goals
from bench.cell import Conditions, cell, workers
from bench.measure import at_once
from bench.parts import parts
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.tables import deliveries

#: In a minute Java's second compiler costs more than it gains, and how much is chance.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


def main() -> None:
    """Measure the parts alone and a worker, and compare."""
    flags = parser("short", __doc__)
    flags.add_argument("--tasks", type=int, default=8_000, help="tasks of each run")
    flags.add_argument("--warm-tasks", type=int, default=2_000, help="tasks before each, which are not measured")
    args = flags.parse_args()

    async def measure(rig: Rig) -> dict[str, Part]:
        rows = {}
        for name, work in {"parts alone": parts, "worker": workers}.items():
            say(f"{name}: {args.tasks} tasks")
            async with cell(rig, Conditions(seed=args.seed), work) as made:
                await at_once(made, args.warm_tasks)
                rows[name] = await at_once(made, args.tasks)
        ratio = rows["worker"]["all_in_ms"] / rows["parts alone"]["all_in_ms"]
        shown = [goals.SHORT_RATIO.judge(ratio), goals.EXTRA_CALLS.judge(rows["worker"]["beyond_one"])]
        return {"short": Part([deliveries("CPU in ms per delivery", rows)], {**rows, "ratio": ratio}, shown)}

    alone("short", args, measure)


if __name__ == "__main__":
    main()
