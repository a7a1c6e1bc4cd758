"""What cases with faults make of their ledgers."""

from __future__ import annotations

import pytest

from bench.faults.findings import most_within, resumed_s
from bench.ledgers import Results


def test_work_goes_on_when_its_slowest_partition_does() -> None:
    """Counted is the first answer after the instant, of each partition; one that had nothing left to do does not count."""
    results = Results(3)
    results.caller_of[0] = [(900, "w0"), (1_500, "w0"), (9_000, "w0")]
    results.caller_of[1] = [(5_000, "w1"), (3_000, "w1")]
    results.caller_of[2] = [(800, "w1")]
    assert resumed_s(results, 1_000) == 2.0
    assert resumed_s(results, 9_000) == 0.0


@pytest.mark.parametrize(
    ("at_ms", "most"),
    [([], 0), ([5], 1), ([0, 99, 100], 2), ([0, 50, 99, 100, 149], 4), ([300, 0, 1, 2, 301], 3)],
)
def test_the_most_calls_in_any_window(at_ms: list[int], most: int) -> None:
    """A window has its first instant in it and its end not, and instants need no order."""
    assert most_within(at_ms, 100) == most
