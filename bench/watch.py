"""What a measurement cost: CPU of each process, memory now and at its peak, and what everybody else used meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from bench.machine import Others, cpu, forget_peak, peak_rss_mib, rss_mib

#: What counts as the product: the rest measures it.
PRODUCT = ("worker", "parts", "broker")


class Watch:
    """Processes by name from now on; a name that ends in ``-0``, ``-1`` and so on is one of several that do the same."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        """Begin now; peaks of memory are forgotten."""
        self._pids = dict(pids)
        for pid in self._pids.values():
            forget_peak(pid)
        self._before = {name: cpu(pid) for name, pid in self._pids.items()}
        self._others, self._begun_s = Others(), time.monotonic()

    def used(self, tasks: int) -> dict[str, Any]:
        """Return the figures so far; CPU in ms per task, which is CPU seconds per 1,000, and in cores."""
        took_ms = (time.monotonic() - self._begun_s) * 1000
        spent_ms = {name: cpu(pid).since(self._before[name]).ms for name, pid in self._pids.items()}
        return {
            "cpu_ms": {name: round(ms / tasks, 4) for name, ms in grouped(spent_ms).items()},
            "cpu_ms_by_process": {name: round(ms / tasks, 4) for name, ms in spent_ms.items()},
            "all_in_ms": round(sum(ms for name, ms in grouped(spent_ms).items() if name in PRODUCT) / tasks, 4),
            "cores": {name: round(ms / took_ms, 3) for name, ms in grouped(spent_ms).items()},
            "memory_mib": {
                name: {"now": round(rss_mib(pid), 1), "peak": round(peak_rss_mib(pid), 1)}
                for name, pid in self._pids.items()
            },
            "others_cores": self._others.cores(),
        }


def grouped(by_process: Mapping[str, float]) -> dict[str, float]:
    """Return sums by what a process is: ``worker-0`` and ``worker-1`` are both ``worker``."""
    sums: dict[str, float] = {}
    for name, value in by_process.items():
        sums[name.partition("-")[0]] = sums.get(name.partition("-")[0], 0.0) + value
    return sums
