"""The oracle's account of faults: how many calls were repeated after each, beside the bound that is stated for it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.oracle_values import Bound, Call, ProcessEvent

#: What befalls several processes within so long is one fault.
_TOGETHER_MS = 1_000


@dataclass(frozen=True, slots=True)
class Share:
    """One fault: when, what befell whom, the calls that were repeated from then to the next one, and the bound for it."""

    at_ms: int
    whom: str
    repeated: int
    bound: float | None

    @property
    def of_bound(self) -> float | None:
        """The repeated calls as a share of the bound."""
        return round(self.repeated / self.bound, 3) if self.bound else None

    def __str__(self) -> str:
        within = "" if self.bound is None else f" of at most {self.bound:g} ({self.of_bound})"
        return f"{self.repeated} calls repeated{within} after {self.whom}"


def shared_out(
    repeated: Iterable[Sequence[Call]], processes: Iterable[ProcessEvent], bound: Bound | None
) -> list[Share]:
    """Return a share for each fault, a signal or several together; what was repeated before the first is in none."""
    faults: list[list[ProcessEvent]] = []
    for event in sorted(processes, key=lambda each: each.at_ms):
        if event.what != "signalled":
            continue
        if faults and event.at_ms - faults[-1][-1].at_ms < _TOGETHER_MS:
            faults[-1].append(event)
        else:
            faults.append([event])
    began_ms = [together[0].at_ms for together in faults]
    counts = [0] * (len(faults) + 1)
    for calls in repeated:
        for call in calls:
            counts[bisect_right(began_ms, call.at_ms)] += 1
    return [
        Share(
            at_ms=together[0].at_ms,
            whom=", ".join(f"{event.detail} {event.name}".strip() for event in together),
            repeated=count,
            bound=bound.calls * len(together) if bound is not None else None,
        )
        for together, count in zip(faults, counts[1:], strict=True)
    ]
