"""What a run came to: cases tried, passed and failed for each row, and how often a trap was hit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from tools.hostile.rows import Row

#: Properties of a test: how many cases it tries, by its own word; its traps and their hits, by the plugin's.
CASES, SET, HITS = "cases", "traps", "trap_hits"


@dataclass(frozen=True, slots=True)
class Counted:
    """Cases of one row; those of a test that failed have all failed, since nobody knows where it ended."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def tried(self) -> int:
        """How many were run."""
        return self.passed + self.failed

    @property
    def good(self) -> bool:
        """Whether something was tried, and all of it passed."""
        return self.passed > 0 and not self.failed


class Tally:
    """Listens to pytest, and keeps the end of each test."""

    def __init__(self) -> None:
        """Begin with none."""
        self.traps = 0
        self.hits = 0
        self._ends: dict[str, tuple[str, int]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep how a test ended; a fixture that fails is a test that failed."""
        properties = dict(report.user_properties)
        if report.when == "call":
            self.traps += _whole(properties, SET)
            self.hits += _whole(properties, HITS)
        if report.when == "call" or report.outcome != "passed":
            self._ends[report.nodeid] = report.outcome, max(1, _whole(properties, CASES))

    def of(self, row: Row) -> Counted:
        """Return what came of a row's tests; one that stands in several rows counts in each."""
        found: Counter[str] = Counter()
        for node, (outcome, cases) in self._ends.items():
            if chosen(node, row.tests):
                found[outcome] += cases
        return Counted(found["passed"], found["failed"], found["skipped"])


def chosen(node: str, tests: Sequence[str]) -> bool:
    """Tell whether a test, by pytest's name of it, is among those that were asked for."""
    return any(node == test or node.startswith((f"{test}::", f"{test}[")) for test in tests)


def _whole(properties: Mapping[str, object], name: str) -> int:
    value = properties.get(name, 0)
    assert isinstance(value, int), f"{name} must be a whole number, and is {value!r}"
    return value
