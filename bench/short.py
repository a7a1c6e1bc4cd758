"""What a build machine asks of performance: ratios within one run, in a minute; rates of a busy machine say nothing.

``python -m bench.short`` exits 1 when a task costs too many times what the parts alone do, or when one is called twice.
"""

from __future__ import annotations

import os

from bench import goals
from bench.cell import Conditions, Crew, workers
from bench.parts import parts
from bench.rig import Rig
from bench.run import Part, alone, parser, say
from bench.tables import deliveries
from bench.turns import in_turns

#: In a minute Java's second compiler costs more than it gains, and how much is chance.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


def main() -> None:
    """Measure the parts alone and a worker, and compare."""
    flags = parser("short", __doc__)
    flags.add_argument("--tasks", type=int, default=3_000, help="tasks of each turn")
    flags.add_argument("--turns", type=int, default=4, help="of each, one after the other")
    flags.add_argument(
        "--warm-tasks", type=int, default=2_000, help="tasks before the first turn, which are not measured"
    )
    args = flags.parse_args()

    async def measure(rig: Rig) -> dict[str, Part]:
        say(f"the parts alone and a worker: {args.turns} turns of {args.tasks} tasks each")
        crews: dict[str, Crew] = {"parts alone": parts, "worker": workers}
        asked = {"turns": args.turns, "tasks": args.tasks, "warm_tasks": args.warm_tasks}
        rows = await in_turns(rig, crews, Conditions(seed=args.seed), **asked)
        ratio = rows["worker"]["all_in_ms"] / rows["parts alone"]["all_in_ms"]
        shown = [goals.SHORT_RATIO.judge(ratio), goals.EXTRA_CALLS.judge(rows["worker"]["beyond_one"])]
        return {"short": Part([deliveries("CPU in ms per delivery", rows)], {**rows, "ratio": ratio}, shown)}

    alone("short", args, measure)


if __name__ == "__main__":
    main()
