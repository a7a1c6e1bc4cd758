"""How long after its due time each call arrived, by the times that results told before the call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.spread import at
from streamer.wire.instants import parse_instant
from tests.support.arrival_log import LoggedArrival


@dataclass(frozen=True, slots=True)
class Lateness:
    """The ms by which calls came after their due times, the least first; those below zero were early."""

    ordered_ms: tuple[int, ...]

    @property
    def early(self) -> int:
        """How many calls came before their time."""
        return sum(each < 0 for each in self.ordered_ms)

    @property
    def most_ms(self) -> float:
        """By how much the latest call was late."""
        return float(self.ordered_ms[-1]) if self.ordered_ms else 0.0

    def __str__(self) -> str:
        """Return the figures for people."""
        if not self.ordered_ms:
            return "no call had to wait"
        p50, p99 = at(self.ordered_ms, 0.5), at(self.ordered_ms, 0.99)
        return (
            f"{len(self.ordered_ms)} waits, early {self.early}, late p50 {p50:g}, p99 {p99:g}, most {self.most_ms:g} ms"
        )


def lateness(told: Iterable[Mapping[str, Any]], arrivals: Iterable[LoggedArrival]) -> Lateness:
    """Compare the first call of each attempt with the earliest due time that was told for it.

    A deferral names the attempt that waits; an attempt that is tried again names the one before it.
    """
    due_ms: dict[tuple[str, int], int] = {}
    for result in told:
        if result["final"] or "due_at" not in result["why"]:
            continue
        attempt = result["attempt"] + ("started_at" in result)
        key = result["task_id"], attempt
        due_ms[key] = min(parse_instant(result["why"]["due_at"]), due_ms.get(key, 2**62))
    first_ms: dict[tuple[str, int], int] = {}
    for arrival in arrivals:
        first_ms.setdefault((arrival.id, arrival.attempt), arrival.at_ms)
    return Lateness(tuple(sorted(first_ms[key] - due for key, due in due_ms.items() if key in first_ms)))
