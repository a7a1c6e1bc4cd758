"""Judges when calls arrived against a rate: a pure function over the receiver's instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Excess:
    """The window with the most calls for its length: how many too many, when it begins, and how long it is."""

    calls: float
    begin_s: float
    length_s: float


def excess(at_s: Sequence[float], per_s: float, burst: int) -> Excess:
    """Return the most calls beyond ``per_s`` · t + ``burst`` over every window of length t; the instants ascend.

    Call j ends a window that call i begins: its excess is (j - per_s · t_j) - (i - per_s · t_i) + 1 - burst, so that the
    least of the second terms so far is all that must be kept.
    """
    most, least, begin_s = Excess(float("-inf"), 0.0, 0.0), float("inf"), 0.0
    for number, at in enumerate(at_s):
        ahead = number - per_s * at
        if ahead < least:
            least, begin_s = ahead, at
        if ahead - least + 1 - burst > most.calls:
            most = Excess(ahead - least + 1 - burst, begin_s, at - begin_s)
    return most


def stalls(at_s: Sequence[float], least_s: float) -> list[tuple[float, float]]:
    """Return the pauses that are at least so long: when each began, and how long it was."""
    return [(before, after - before) for before, after in pairwise(at_s) if after - before >= least_s]
