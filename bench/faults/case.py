"""One numbered case of the test plan: what is done to a running installation, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench.faults.ground import Ground


class Scale(StrEnum):
    """How long a case takes: what a build machine can wait for, or what is promised."""

    SHORT = "short"
    FULL = "full"


#: What others on the machine may add to a p99 of some hundred calls. A short run on a machine that builds shows stalls
#: of many seconds, which is what a queue behind the wrong thing makes, and no less.
NOISE_MS = {Scale.SHORT: 2_000.0, Scale.FULL: 50.0}


class NotMade(Exception):
    """The fault cannot be made on this machine; the message says what it takes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a case came to. A run whose fault was not made proves nothing, whatever it found."""

    measured: str
    applied: bool
    holds: bool
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the fault was made, and what must hold held."""
        return self.applied and self.holds

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        return "passed" if self.passed else "FAILED" if self.applied else "fault not applied"


@dataclass(frozen=True, slots=True)
class Case:
    """A case by its number in the test plan."""

    number: str
    title: str
    expected: str
    run: Callable[[Ground, Scale], Coroutine[Any, Any, Finding]]
    #: Whether it needs a broker at all.
    broker: bool = True
