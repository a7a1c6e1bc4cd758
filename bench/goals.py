"""What is promised of performance: a must and an aim for each, and the verdict on a figure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench.report import Shown


class Better(StrEnum):
    """In which direction a figure is better."""

    LOWER = "at most"
    HIGHER = "at least"


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure's bounds, in its unit."""

    what: str
    unit: str
    better: Better
    must: float
    aim: float | None = None

    def judge(self, value: float) -> Shown:
        """Return the figure's line: its verdict is that of the must, and whether the aim is met stands in it."""
        aim = "" if self.aim is None else f", aim {self.aim:g}" + (" (met)" if self._reaches(value, self.aim) else "")
        figure = f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
        text = f"{self.what}: {figure} {self.unit}".rstrip()
        return Shown(f"{text}; {self.better} {self.must:g}{aim}", self._reaches(value, self.must))

    def _reaches(self, value: float, bound: float) -> bool:
        return value <= bound if self.better is Better.LOWER else value >= bound


ALL_IN = Goal("CPU of a task, publish and deliver, worker and broker", "ms", Better.LOWER, 0.45, 0.33)
PER_S = Goal("publish and deliver at once, 2 workers", "deliveries/s", Better.HIGHER, 2_500, 3_500)
RATIO = Goal("2 workers by 2 processes of the parts alone, in turns", "", Better.HIGHER, 0.6, 0.85)
RATIO_LITTLE = Goal("2 workers by 2 processes of the parts as little as can be, in turns", "", Better.HIGHER, 0.6, 0.85)
P50 = Goal("produce → arrival at 50/s, p50", "ms", Better.LOWER, 6, 4)
P99 = Goal("produce → arrival at 50/s, p99", "ms", Better.LOWER, 12, 9)
SEEDS_MEMORY = Goal("1,000 calls in flight for a second each: the worker's peak", "MB", Better.LOWER, 200, 120)
SEEDS_CPU = Goal("1,000 calls in flight: the worker's CPU", "% of one core", Better.LOWER, 50)
SEEDS_MEAN = Goal("1,000 calls in flight: own overhead, mean", "ms", Better.LOWER, 20)
SEEDS_P99 = Goal("1,000 calls in flight: own overhead, p99", "ms", Better.LOWER, 100)
DOMAINS = Goal("throughput at 10,000 domains by that at 10", "", Better.HIGHER, 0.8)
RECOVERY = Goal("recovery of a table of 1,000,000 tasks", "s", Better.LOWER, 30)
EXTRA_CALLS = Goal("calls beyond one a task, all runs", "", Better.LOWER, 0)
#: For build machines: it tells a change of the code that costs much, on whatever else runs there.
SHORT_RATIO = Goal("CPU of a task by that of the parts alone", "", Better.LOWER, 2.5)
