"""Cases in which workers die, stop, come and go (RELIABILITY §7 B)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from itertools import pairwise

from bench.faults.case import Case, Finding, Scale
from bench.faults.field import Field, Outcome, under_load
from bench.faults.ground import Ground
from bench.faults.load import Load

#: A restart, and the wait for it: what one kill may cost at most.
_RECOVERY_S = 30.0
_DUPLICATES = 0.01
#: A drain of 8 s, and what a process takes to end.
_END_S = 15.0
_SESSION_S = 10.0


def _found(outcome: Outcome, faults: int, *, holds: bool, more: Sequence[str] = ()) -> Finding:
    return Finding(
        ", ".join([outcome.told(), *more]),
        len(outcome.field.made) >= faults,
        outcome.clean and holds,
        outcome.figures(),
    )


async def kills(ground: Ground, scale: Scale) -> Finding:
    """Kill a worker by chance every 12 s, and start it again at once."""
    count = 50 if scale is Scale.FULL else 3
    chance = random.Random(ground.seed)

    async def harm(field: Field) -> None:
        began_s = time.monotonic()
        for number in range(1, count + 1):
            await asyncio.sleep(max(0.0, began_s + number * 12 - 6 - time.monotonic()))
            await field.kill_and_start(chance.randrange(len(field.workers)))

    # Static members, as whoever keeps its workers' names runs them: one that is back within its session goes on at once.
    outcome = await under_load(ground, Load(12.0 * count, static=True), harm)
    within = outcome.share_again <= _DUPLICATES and outcome.slowest_s < _RECOVERY_S
    return _found(outcome, count, holds=within, more=[f"{count} kills"])


async def all_killed(ground: Ground, scale: Scale) -> Finding:
    """Kill all workers at once, and start them again after 20 s."""
    rounds = 5 if scale is Scale.FULL else 1

    async def harm(field: Field) -> None:
        for _ in range(rounds):
            await asyncio.sleep(10)
            await asyncio.gather(*[field.kill_and_start(slot, down_s=20) for slot in range(len(field.workers))])

    outcome = await under_load(ground, Load(rounds * 60.0), harm)
    verdict = outcome.verdict
    # What was in flight is called again; a storm would call much more.
    attempts = verdict.calls / max(1, verdict.tasks)
    return _found(outcome, rounds * 3, holds=attempts <= 1.2 * 1.1, more=[f"{attempts:.3f} calls a task"])


async def rolling(ground: Ground, scale: Scale) -> Finding:
    """Ask each worker in turn to drain and end, and start it again."""
    rounds = 3 if scale is Scale.FULL else 1
    took_s: list[float] = []

    async def harm(field: Field) -> None:
        for _ in range(rounds):
            for slot in range(len(field.workers)):
                await asyncio.sleep(4)
                took_s.append(await field.stop_and_start(slot))

    outcome = await under_load(ground, Load(rounds * 3 * 15.0), harm)
    codes = set(outcome.field.asked)
    good = codes == {0} and max(took_s) <= _END_S and outcome.verdict.duplicate_calls == 0
    return _found(outcome, rounds * 3, holds=good, more=[f"ends within {max(took_s):.1f} s with {sorted(codes)}"])


async def zombies(ground: Ground, scale: Scale) -> Finding:
    """Stop a worker for three sessions, and let it go on when its partitions have moved."""
    rounds = 20 if scale is Scale.FULL else 1
    chance = random.Random(ground.seed)

    async def harm(field: Field) -> None:
        for _ in range(rounds):
            await asyncio.sleep(5)
            worker = field.workers[chance.randrange(len(field.workers))]
            field.note("SIGSTOP", worker.name)
            worker.stop()
            await asyncio.sleep(3 * _SESSION_S)
            worker.go_on()
            await asyncio.sleep(_SESSION_S)

    outcome = await under_load(ground, Load(rounds * (4 * _SESSION_S + 5)), harm)
    good = outcome.slowest_s < _RECOVERY_S and outcome.share_again <= _DUPLICATES
    return _found(outcome, rounds, holds=good)


async def bounces(ground: Ground, scale: Scale) -> Finding:
    """Stop and start static members within their session: nobody's partitions move."""
    rounds = 20 if scale is Scale.FULL else 3

    async def harm(field: Field) -> None:
        for number in range(rounds):
            await asyncio.sleep(2)
            await field.kill_and_start(number % len(field.workers))

    outcome = await under_load(ground, Load(rounds * 8.0, static=True, settings={"kafka.session_timeout_s": 30}), harm)
    moved = _moved(outcome)
    return _found(outcome, rounds, holds=moved == 0, more=[f"partitions that moved {moved}"])


def _moved(outcome: Outcome) -> int:
    """Return how many partitions were ever worked on by more than one worker."""
    return sum(
        any(before[1] != after[1] for before, after in pairwise(sorted(callers)))
        for callers in outcome.field.results.caller_of.values()
    )


async def churn(ground: Ground, scale: Scale) -> Finding:
    """Add and take away workers, one each 5 s, some of the time more than there are partitions."""
    plans = {Scale.FULL: (6, 2, 5, 1, 14, 3), Scale.SHORT: (3, 1)}

    async def harm(field: Field) -> None:
        for wanted in plans[scale]:
            while len(field.workers) != wanted:
                await asyncio.sleep(5)
                await (field.add() if len(field.workers) < wanted else field.remove())

    changes = sum(abs(after - before) for before, after in pairwise((1, *plans[scale])))
    outcome = await under_load(ground, Load(changes * 9.0, workers=1, rate_per_s=100), harm)
    stall_s = _longest_stall_s(outcome)
    good = stall_s <= _RECOVERY_S and set(outcome.field.asked) == {0}
    return _found(outcome, changes, holds=good, more=[f"{changes} changes", f"stall ≤ {stall_s:.1f} s"])


def _longest_stall_s(outcome: Outcome) -> float:
    """Return the longest time between two answers of all workers together."""
    at_ms = sorted(each for callers in outcome.field.results.caller_of.values() for each, _ in callers)
    return max((after - before for before, after in pairwise(at_ms)), default=0) / 1000


async def control(ground: Ground, scale: Scale) -> Finding:
    """Do no harm: whatever the checker finds here, it would find without any fault."""

    async def harm(field: Field) -> None:
        """Leave all as it is."""

    outcome = await under_load(ground, Load(1_800.0 if scale is Scale.FULL else 30.0), harm)
    untouched = outcome.verdict.duplicate_calls == 0 and not outcome.field.by_themselves
    return _found(outcome, 0, holds=untouched)


WORKERS = (
    Case(
        "B1",
        "kill -9 of a static member by chance every 12 s, 200/s, 3 workers",
        "no anomaly, again ≤ 1 %, recovery < 30 s",
        kills,
    ),
    Case("B2", "kill -9 of all workers at once, back after 20 s", "no anomaly, no storm of calls", all_killed),
    Case("B3", "rolling restart by SIGTERM", "exit 0 within 15 s, nothing sent again", rolling),
    Case("B7", "SIGSTOP for three sessions, then SIGCONT", "no anomaly, again ≤ 1 %, no offset goes back", zombies),
    Case("B9", "static members bounce within the session", "no partition moves", bounces),
    Case("B10", "workers come and go, one each 5 s", "no anomaly, stall ≤ 30 s", churn),
    Case("B17", "no fault at all", "every anomaly 0, nothing sent again", control),
)
