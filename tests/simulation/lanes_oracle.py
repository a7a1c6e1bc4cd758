"""What lanes must never do, watched at each call that begins: limits over every window, caps, pauses, order, attempts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamer.core.delivery import Why
from streamer.core.grant import Grant
from streamer.core.lane import Lane
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import Rate
from streamer.core.waiting import Waiting
from tests.core.samples import NOW_MS

if TYPE_CHECKING:
    from tests.simulation.lanes_parts import Task, Worker

#: What a sum of a million floats may be off by.
_SLIP_MS = 0.01
#: What a dead target may be asked while its breaker is closed, beside what is on the wire at once.
_FAILURES = 5


@dataclass(slots=True)
class Shaper:
    """The windows of a lane under one rate as one instant: calls that keep to it are those that fit every window."""

    rate: Rate
    burst: int
    tat_ms: float = 0.0

    def takes(self, now_ms: float) -> bool:
        """Count a call; tell whether it keeps to the rate."""
        early_ms = self.tat_ms - now_ms - (self.burst - 1) * self.rate.spacing_ms
        self.tat_ms = max(self.tat_ms, now_ms) + self.rate.spacing_ms
        return early_ms <= _SLIP_MS


class LanesOracle:
    """Collects ``violations`` as sentences, and what is counted over a run.

    It knows no machine of the core, only the policies in force; a lane's windows go on over takeovers.
    """

    def __init__(self, policies: Callable[[], PolicyBook]) -> None:
        self._policies = policies
        self.violations: list[str] = []
        self.calls: Counter[tuple[int, int]] = Counter()
        self.calls_of: Counter[str] = Counter()
        self.calls_to_dead: Counter[str] = Counter()
        self.deferrals: Counter[Why] = Counter()
        self.released: Counter[tuple[str, int]] = Counter()
        self.begun_in: defaultdict[str, Counter[int]] = defaultdict(Counter)
        #: Per lane, since when each takeover of it: what a breaker has learned may be lost with its worker.
        self.takeovers: Counter[int] = Counter()
        self._shapers: dict[str, Shaper] = {}
        self._on_wire: Counter[tuple[str, str]] = Counter()
        self._waiting: defaultdict[Lane[Task], Counter[tuple[str, int]]] = defaultdict(Counter)
        self._paused_until_ms: dict[str, float] = {}

    def waits(self, lane: Lane[Task], waiting: Waiting[Task]) -> None:
        """Note that an item waits in a lane."""
        self._waiting[lane][waiting.business, waiting.priority] += 1

    def left(self, lane: Lane[Task], business: str, priority: int) -> None:
        """Note that it waits there no more."""
        self._waiting[lane][business, priority] -= 1

    def dropped(self, lane: Lane[Task]) -> None:
        """Note that nobody waits in a lane any more."""
        self._waiting.pop(lane, None)

    def began(self, worker: Worker, grant: Grant[Task], now_ms: int) -> None:
        """Judge a call that begins."""
        lane, task, key = grant.lane, grant.item, grant.lane.key
        limits = self._policies().lane(task.domain.name)
        self._judge(now_ms >= limits.paused_until_ms, f"{key} sent while an operator's pause held")
        self._judge(now_ms >= self._paused_until_ms.get(key, 0), f"{key} sent before the receiver's pause was over")
        self._judge(task.ended is None, f"task {task.number} was sent after its end: {task.ended}")
        self._judge(now_ms >= task.due_ms, f"task {task.number} was sent before it was due")
        if limits.rate is not None:
            shaper = self._shapers.get(key)
            if shaper is None or (shaper.rate, shaper.burst) != (limits.rate, limits.burst):
                shaper = self._shapers[key] = Shaper(limits.rate, limits.burst)
            self._judge(shaper.takes(now_ms), f"{key} sent faster than {limits.rate} with a burst of {limits.burst}")
        else:
            self._shapers.pop(key, None)
        waiting = self._waiting.get(lane)
        if waiting:
            ahead = [
                rank
                for rank, count in waiting.items()
                if count and rank[0] == task.business and rank[1] < task.priority
            ]
            self._judge(not ahead, f"{key} sent priority {task.priority} while {ahead} waited")
        self._count(worker, grant, now_ms)

    def _count(self, worker: Worker, grant: Grant[Task], now_ms: int) -> None:
        lane, task = grant.lane, grant.item
        policies = self._policies()
        caps = policies.caps(task.business, None)
        concurrency = policies.lane(task.domain.name).concurrency
        for what, most in ((lane.key, concurrency), ("all", worker.lanes.limit_total), *caps):
            self._on_wire[worker.name, what] += 1
            count = self._on_wire[worker.name, what]
            self._judge(count <= most, f"{count} calls of {what} were on the wire of {worker.name}: at most {most}")
        self.calls[task.number, task.attempt] += 1
        self.calls_of[task.domain.name] += 1
        self.begun_in[task.domain.name][(now_ms - NOW_MS) // 1_000] += 1
        count = self.calls[task.number, task.attempt]
        self._judge(count <= 1 + task.lost, f"attempt {task.attempt} of task {task.number} was sent {count} times")
        self.calls_to_dead[task.domain.name] += task.domain.manner(now_ms - NOW_MS).dead

    def ended(self, worker: Worker, grant: Grant[Task]) -> None:
        """Note that a call is on the wire no more."""
        caps = self._policies().caps(grant.item.business, None)
        for what in (grant.lane.key, "all", *(cap for cap, _ in caps)):
            self._on_wire[worker.name, what] -= 1

    def paused(self, lane: Lane[Task], until_ms: float) -> None:
        """Note that a receiver asked a lane for a pause; what a crash may take back is noted anew from the changelog."""
        self._paused_until_ms[lane.key] = max(until_ms, self._paused_until_ms.get(lane.key, 0))

    def remembered(self, key: str, until_ms: float) -> None:
        """Note what a lane knows of its pause when it has been taken over from a dead worker."""
        self._paused_until_ms[key] = until_ms

    def died(self, worker: Worker) -> None:
        """Forget what was on the wire of a worker."""
        for name, what in list(self._on_wire):
            if name == worker.name:
                del self._on_wire[name, what]

    def deferred(self, task: Task, why: Why, due_ms: int, now_ms: int) -> None:
        """Judge a deferral."""
        self.deferrals[why] += 1
        self._judge(due_ms >= now_ms - 1, f"task {task.number} was put off into the past")
        self.released[task.domain.name, (due_ms - NOW_MS) // 1_000] += 1

    def judge_dead(self, name: str, concurrency: int, shards: int, dead_ms: int, takeovers: int) -> None:
        """Judge, at the end, how often a dead target was called: what was on the wire, and a probe for each opening."""
        probes, stay_ms = 2, 10_000
        while dead_ms > 0:
            dead_ms -= stay_ms
            stay_ms = min(2 * stay_ms, 300_000)
            probes += 1
        most = shards * (concurrency + _FAILURES + probes) * (1 + takeovers)
        self._judge(self.calls_to_dead[name] <= most, f"{name} was called {self.calls_to_dead[name]} times while dead")

    def _judge(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.violations.append(otherwise)
