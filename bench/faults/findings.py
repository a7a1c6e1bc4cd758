"""What cases make of an outcome: a finding, and how long work stood still."""

from __future__ import annotations

from collections.abc import Sequence

from bench.faults.case import Finding
from bench.faults.field import Outcome
from bench.ledgers import Results


def found(outcome: Outcome, *, applied: bool, holds: bool, more: Sequence[str] = ()) -> Finding:
    """Return the finding of a run that must be clean, and in which ``holds`` must hold besides."""
    return Finding(", ".join([outcome.told(), *more]), applied, outcome.clean and holds, outcome.figures())


def resumed_s(results: Results, healed_at_ms: int) -> float:
    """Return how long after an instant the slowest partition had its next answer, in s.

    A partition without any later answer does not count: what was left undone there is the oracle's to tell.
    """
    later = ([at_ms for at_ms, _ in answers if at_ms > healed_at_ms] for answers in results.caller_of.values())
    return max((min(each) - healed_at_ms for each in later if each), default=0) / 1000


def most_within(at_ms: Sequence[int], window_ms: int) -> int:
    """Return the most instants that lie in any window of this length."""
    ordered, most, first = sorted(at_ms), 0, 0
    for number, each in enumerate(ordered):
        while ordered[first] <= each - window_ms:
            first += 1
        most = max(most, number - first + 1)
    return most
