"""How values are spread: the shares that people ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def at(ordered: Sequence[float], share: float) -> float:
    """Return the value below which this share lies."""
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2)


def spread(values: Iterable[float]) -> dict[str, float]:
    """Return mean, p50, p90, p99 and max; nothing where there is no value."""
    ordered = sorted(values)
    if not ordered:
        return {}
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {"mean": round(sum(ordered) / len(ordered), 2)} | {
        name: at(ordered, share) for name, share in shares.items()
    }
