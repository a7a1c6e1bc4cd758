"""Plays many seeds on all cores and sums them up: ``python -m tests.simulation all --runs 100 --seed 0 --tasks 10000``."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.simulation.storm.bugs import BUGS
from tests.simulation.storm.crash_points import CrashPoint
from tests.simulation.storm.plan import drawn
from tests.simulation.storm.plant import Plant
from tests.simulation.storm.rules import Rule, Violation
from tests.simulation.storm.shrink import Shrinker, story, whole
from tests.simulation.storm.world import World

#: From so many tasks on a run that never hit one of the twelve points says so, and fails.
LARGE = 100_000
_TOLD_EVERY_S = 10.0


@dataclass
class Tally:
    """What one seed came to, or many together."""

    seeds: int = 0
    tasks: int = 0
    steps: int = 0
    cpu_s: float = 0.0
    virtual_ms: float = 0.0
    restated: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    blows: Counter[str] = field(default_factory=Counter)
    injected: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)
    violations: list[tuple[int, Violation]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add another one."""
        self.seeds += other.seeds
        self.tasks += other.tasks
        self.steps += other.steps
        self.cpu_s += other.cpu_s
        self.virtual_ms += other.virtual_ms
        self.restated += other.restated
        for name in ("calls", "deaths", "blows", "injected", "orders"):
            getattr(self, name).update(getattr(other, name))
        self.violations += other.violations

    def line(self) -> str:
        """Return it in one line."""
        return (
            f"{self.seeds} seeds, {self.tasks:,} tasks, {self.steps:,} steps, {self.calls['calls']:,} calls, "
            f"{sum(self.deaths.values())} deaths, {sum(self.injected.values()):,} small faults, "
            f"{len(self.violations)} violations, {self.tasks / max(self.cpu_s, 1e-9):,.0f} tasks/s of CPU"
        )

    @property
    def never_hit(self) -> list[CrashPoint]:
        """The points at which nobody died."""
        return [point for point in CrashPoint if not self.deaths[point.name]]


def played(job: tuple[int, int]) -> Tally:
    """Play one seed."""
    seed, tasks = job
    # Nothing that a run makes is garbage before its end, and looking for it costs a third of the time.
    gc.disable()
    began_s = time.process_time()
    try:
        world = World(drawn(seed, tasks)).play()
    finally:
        gc.enable()
    tally = Tally(
        1,
        tasks,
        world.loop.steps,
        time.process_time() - began_s,
        world.loop.now_ms,
        world.restated,
        world.oracle.counts,
        Counter({point.name if point else "ANYWHERE": count for point, count in world.deaths.items()}),
        world.blows,
        world.injected,
        world.orders,
        [(seed, violation) for violation in world.oracle.violations],
    )
    del world
    gc.collect()
    return tally


def main(argv: list[str]) -> int:
    """Play the seeds asked for; 1 when a rule was broken or a planted bug was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation all", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="how many seeds (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--tasks", type=int, default=10_000, help="tasks of each (default: 10000)")
    parser.add_argument(
        "--cores", type=int, default=os.cpu_count() or 1, help="processes at once (default: one a core)"
    )
    parser.add_argument("--planted", action="store_true", help="plant each bug of the list, and see that it is found")
    parser.add_argument("--shrink-s", type=float, default=60, help="seconds to make a story shorter (default: 60)")
    asked = parser.parse_args(argv)
    if asked.planted:
        return 0 if print_planted(asked.seed, min(asked.tasks, 2_000)) else 1
    total = Tally()
    told_s = time.monotonic()
    for tally in _all(range(asked.seed, asked.seed + asked.runs), asked.tasks, asked.cores):
        total.add(tally)
        for seed, violation in tally.violations:
            _say(f"VIOLATION in seed {seed}: {violation}")
        if tally.violations or time.monotonic() - told_s > _TOLD_EVERY_S or asked.runs <= 10:
            told_s = time.monotonic()
            _say(total.line())
    _sum_up(total)
    if total.violations:
        seed, violation = total.violations[0]
        _say(f"\nseed {seed}, as short as it was found in {asked.shrink_s:.0f} s:")
        shrinker = Shrinker(violation.rule, budget_s=asked.shrink_s)
        _say(story(shrinker.shrunk(whole(seed, asked.tasks)), violation.rule))
    return 1 if total.violations or (total.never_hit and total.tasks >= LARGE) else 0


def _all(seeds: Iterable[int], tasks: int, cores: int) -> Iterator[Tally]:
    jobs = [(seed, tasks) for seed in seeds]
    if cores < 2 or len(jobs) < 2:
        yield from map(played, jobs)
        return
    with multiprocessing.get_context("fork").Pool(cores, maxtasksperchild=20) as pool:
        yield from pool.imap_unordered(played, jobs)


def _sum_up(total: Tally) -> None:
    _say(f"\nsum: {total.line()}, {total.virtual_ms / 86_400_000:.1f} virtual days")
    _say("deaths: " + ", ".join(f"{point.name} {total.deaths[point.name]}" for point in CrashPoint))
    _say(f"  and {total.deaths['ANYWHERE']} of workers that did not pass their point in time")
    _say(f"blows: {_counted(total.blows)}")
    _say(f"small faults: {_counted(total.injected)}")
    _say(
        f"orders: {_counted(total.orders)}; calls sent again after a crash or a refused write: {total.calls['calls again']}"
    )
    _say(f"entries that stood behind what was written late, and were written again: {total.restated}")
    if total.never_hit:
        _say(f"NEVER HIT: {', '.join(point.name for point in total.never_hit)}")


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())


# Planted bugs


def found(bug: type[Plant], rule: Rule, first: int, tasks: int, most: int = 8) -> int | None:
    """Plant a bug in one seed after the other; return the first in which its rule is broken."""
    for seed in range(first, first + most):
        violations = World(drawn(seed, tasks), bug()).play().oracle.violations
        if any(violation.rule is rule for violation in violations):
            return seed
    return None


def print_planted(first: int, tasks: int) -> bool:
    """Plant every bug and print what found it; tell whether all were found."""
    good = True
    for bug, rule in BUGS:
        seed = found(bug, rule, first, tasks)
        good &= seed is not None
        what = (bug.__doc__ or "").rstrip(".")
        _say(f"{bug.__name__:16} {rule.name:16} {'NOT FOUND' if seed is None else f'seed {seed}':10} {what}")
    unchecked = set(Rule) - {rule for _, rule in BUGS}
    _say(f"{len(BUGS)} bugs; rules without one: {', '.join(sorted(rule.name for rule in unchecked)) or 'none'}")
    return good


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
