"""Cases of tasks that end by a word or by their time, not by a call (RELIABILITY §7 C)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench import cancel_test
from bench.faults.case import Case, Finding, Scale
from bench.faults.ground import Ground
from bench.faults.shown import found
from bench.faults.stage import Setting, now_ms, stage, told_of
from bench.report import Shown
from bench.site import site
from streamer.wire.instants import format_instant

_DOMAINS = 40
#: Longer than it takes until all of them stand on a tier, shorter than the workers are down.
_EXPIRES_MS = 14_000
_DOWN_S = 14.0
_EXPIRED = "expired"


async def cancels_and_deadlines(ground: Ground, scale: Scale) -> Finding:
    """Cancel tasks in every state while a worker is killed; then let deadlines pass while tasks stand on a tier."""
    plan = cancel_test.Plan(seed=ground.seed)
    if scale is Scale.SHORT:
        plan = cancel_test.Plan(1_000, 300, seed=ground.seed, most_delay_s=15)
    async with site(ground.broker, ground.directory, "cancel", _DOMAINS) as made:
        shown, figures = await cancel_test.run(made, plan)
    more, passed, waited = await _deadlines(ground, 2_000 if scale is Scale.FULL else 200)
    told = [
        f"{plan.cancels} cancels of {plan.tasks} tasks",
        f"calls after a cancel {figures['calls_after']}",
        f"{len(waited)} deadlines passed on a tier",
        f"calls after them {passed['calls_after_deadline']}",
    ]
    applied = sum(figures["answers"].values()) == plan.cancels and len(waited) == passed["tasks"]
    return found(told, [*shown, *more], {**figures, **passed}, applied=applied)


async def _deadlines(ground: Ground, tasks: int) -> tuple[list[Shown], Mapping[str, Any], set[str]]:
    """Kill the workers while tasks stand on a tier, and start them again when the deadlines have passed."""
    async with stage(ground, Setting(_DOMAINS, workers=2)) as made:
        expires_at_ms = now_ms() + _EXPIRES_MS
        times = {"delay": "10s", "expires_at": format_instant(expires_at_ms)}
        published = await made.publish({"url": made.url(n % _DOMAINS, str(n)), **times} for n in range(tasks))
        await made.deferred(tasks)
        standing, killed_ms = set(published) - {call.id for call in made.domains.arrivals()}, now_ms()
        await made.kill_all(_DOWN_S)
        verdict = await made.ended(60)
    after = [call for call in made.domains.arrivals() if call.at_ms >= expires_at_ms]
    shown = [
        Shown(f"killed {expires_at_ms - killed_ms} ms before the deadlines", killed_ms < expires_at_ms),
        Shown(f"calls at or after the deadline: {len(after)}", not after),
        Shown(f"ends {dict(verdict.ends)}, all expired", verdict.ends == {_EXPIRED: tasks}),
        Shown(f"deadlines: {', '.join(told_of(verdict))}", verdict.clean),
    ]
    return shown, {"tasks": tasks, "calls_after_deadline": len(after), "ends": dict(verdict.ends)}, standing


COMMANDS = (
    Case(
        "C14",
        "cancels in every state, a worker is killed meanwhile; deadlines pass on a tier",
        "no call after either, others succeed",
        cancels_and_deadlines,
    ),
)
