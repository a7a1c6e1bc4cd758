"""The meter's twin in memory: counters that a test can read."""

from __future__ import annotations

from collections import Counter

from streamer.adapters.prometheus.meter import COUNTERS, DISTRIBUTIONS

_NAMES = frozenset(metric.name for metric in COUNTERS)
_DISTRIBUTIONS = frozenset(metric.name for metric in DISTRIBUTIONS)


class MemoryMeter:
    """Counts by name, and by name and label; a name that the closed list does not have is an error at once."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._labelled: Counter[tuple[str, str]] = Counter()
        self._observed: dict[str, list[float]] = {}

    def count(self, name: str, amount: int = 1, label: str = "") -> None:
        """Add to a counter."""
        if name not in _NAMES:
            raise KeyError(name)
        self._counts[name] += amount
        self._labelled[name, label] += amount

    def observe(self, name: str, value: float, label: str = "") -> None:
        """Add a value to a distribution."""
        if name not in _DISTRIBUTIONS:
            raise KeyError(name)
        self._observed.setdefault(name, []).append(value)

    def observed(self, name: str) -> list[float]:
        """Return every value added to a distribution."""
        return self._observed.get(name, [])

    def counted(self, name: str, label: str | None = None) -> int:
        """Return a counter's value, over all labels or of one."""
        return self._counts[name] if label is None else self._labelled[name, label]
