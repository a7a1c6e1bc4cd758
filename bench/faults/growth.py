"""What a process holds over time, and whether it grows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import rss_mib


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process holds at a moment, by its monotonic clock."""

    at_s: float
    rss_mib: float
    descriptors: int
    threads: int


def sampled(pid: int, speed: int = 1) -> Sample:
    """Look at a process now; its own clock may be faster than ours."""
    tasks, descriptors = Path(f"/proc/{pid}/task"), Path(f"/proc/{pid}/fd")
    return Sample(time.monotonic() * speed, rss_mib(pid), len(list(descriptors.iterdir())), len(list(tasks.iterdir())))


def slope_per_h(samples: Sequence[Sample]) -> float:
    """Return by how much the memory grows, in MiB an hour: the line of least squares through the samples."""
    mean_s = sum(each.at_s for each in samples) / len(samples)
    mean_mib = sum(each.rss_mib for each in samples) / len(samples)
    square = sum((each.at_s - mean_s) ** 2 for each in samples)
    return 3600 * sum((each.at_s - mean_s) * (each.rss_mib - mean_mib) for each in samples) / square


def growth(samples: Sequence[Sample], what: str) -> int:
    """Return by how much the median of a count in the last third is beyond that in the first."""
    counts, third = [int(getattr(each, what)) for each in samples], max(1, len(samples) // 3)
    return _median(counts[-third:]) - _median(counts[:third])


def _median(counts: Sequence[int]) -> int:
    return sorted(counts)[len(counts) // 2]
