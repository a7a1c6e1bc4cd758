"""What a receiver says in its answer's header ``Streamer-Action``: no more attempts, another one, or another one later.

Must not know what is made of it; that is the judge's part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

HEADER = "streamer-action"
_LENGTH = len(HEADER)
_LATER = re.compile(r"retry-after *= *([0-9]+)", re.IGNORECASE)
#: More digits than any second that anybody waits for; int() refuses some thousands of them.
_MOST_DIGITS = 12


class Action(StrEnum):
    """The words that are known."""

    STOP = "stop"
    RETRY = "retry"


class Word(Struct, frozen=True, gc=False):
    """What was said; ``wait_ms`` is set by ``retry-after``, as long as the receiver wants it."""

    action: Action
    wait_ms: int | None = None


_STOP, _RETRY = Word(Action.STOP), Word(Action.RETRY)


def word_of(headers: Sequence[tuple[str, str]]) -> Word | None:
    """Return what the first ``Streamer-Action`` says; None where there is none, or one of unknown words.

    Known are ``stop``, ``retry`` and ``retry-after=SECONDS``, in any case, with whole seconds.
    """
    for name, value in headers:
        # The length first: this is asked of every header of every answer.
        if len(name) == _LENGTH and name.lower() == HEADER:
            return _read(value.strip(" \t"))
    return None


def _read(value: str) -> Word | None:
    said = value.lower()
    if said == Action.STOP:
        return _STOP
    if said == Action.RETRY:
        return _RETRY
    if (match := _LATER.fullmatch(value)) is None:
        return None
    digits = match[1].lstrip("0") or "0"
    return Word(Action.RETRY, int(digits[:_MOST_DIGITS]) * 1_000)
