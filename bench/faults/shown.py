"""What a measurement with lines of its own means as a case's finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.faults.case import Finding
from bench.report import Shown


def found(told: Sequence[str], shown: Sequence[Shown], figures: Mapping[str, Any], *, applied: bool) -> Finding:
    """Return a finding that holds when every line does; those that fall short are told behind the others."""
    short = [f"FALLS SHORT: {line.text}" for line in shown if line.holds is False]
    return Finding(", ".join([*told, *short]), applied, not short, {**figures, "lines": [line.text for line in shown]})
