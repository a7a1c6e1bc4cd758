"""Plays storms of many lanes and tells what came of them: ``python -m tests.simulation --seeds 5 --tasks 100000``.

With ``all`` as the first word everything is played, not lanes alone: see ``python -m tests.simulation all --help``.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.core.samples import NOW_MS
from tests.simulation.lanes_plan import stormy
from tests.simulation.lanes_world import LanesWorld
from tests.simulation.storm import runs


def played(seed: int, tasks: int) -> bool:
    """Play one seed, print its figures, and tell whether everything held."""
    began_s = time.perf_counter()
    world = LanesWorld(stormy(seed, tasks), seed).play()
    took_s = time.perf_counter() - began_s
    oracle, plan = world.oracle, world.plan
    deferrals = ", ".join(f"{why} {count}" for why, count in oracle.deferrals.most_common())
    sys.stdout.write(
        f"seed {seed}: {tasks} tasks, {len(plan.domains)} domains, {plan.workers} workers, "
        f"{sum(oracle.takeovers.values())} takeovers: {took_s:.1f} s, {tasks / took_s:,.0f} tasks/s, "
        f"{(world.now_ms - NOW_MS) / 60_000:.0f} virtual minutes\n"
        f"  calls {sum(oracle.calls.values())}, ends {dict(world.states())}\n"
        f"  deferrals {sum(oracle.deferrals.values()) / tasks:.2f} a task ({deferrals}); "
        f"most of one domain back in one second {max(oracle.released.values(), default=0)}\n"
    )
    for violation in oracle.violations[:20]:
        sys.stdout.write(f"  VIOLATION {violation}\n")
    return not oracle.violations and None not in world.states()


def main() -> int:
    """Play the seeds asked for; 1 when a rule was broken."""
    if sys.argv[1:2] == ["all"]:
        return runs.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (default: 3)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--tasks", type=int, default=100_000, help="tasks of each (default: 100000)")
    asked = parser.parse_args()
    # Every seed is played, also after one that broke a rule.
    held = [played(seed, asked.tasks) for seed in range(asked.first, asked.first + asked.seeds)]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
