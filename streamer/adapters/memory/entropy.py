"""Chance that repeats, for tests and simulations."""

from __future__ import annotations

import random


class FixedEntropy:
    """Always the same number; 0.5 is the middle of every jitter."""

    def __init__(self, unit: float = 0.5) -> None:
        self._unit = unit

    def unit(self) -> float:
        """Return the number."""
        return self._unit


class SeededEntropy:
    """Numbers that follow from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def unit(self) -> float:
        """Return a number from [0, 1)."""
        return self._random.random()
