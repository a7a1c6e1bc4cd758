"""Keeps libraries from filling a disk with one sentence: while a broker is away its clients say it hundreds of times a second."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

#: A sentence is said once in so many seconds.
EVERY_S = 10.0
#: Sentences that are told apart; libraries have few, unless one puts its figures into the text itself.
_KINDS = 256


@dataclass(slots=True)
class _Said:
    at_s: float
    unsaid: int = 0


class Repeats:
    """A filter for the handler: what a library says again too soon is counted, and told as ``unsaid`` with the next one.

    Two lines are the same when their logger and their text before its figures are. All lines of ours are written.
    """

    def __init__(self, libraries: Collection[str], every_s: float = EVERY_S) -> None:
        self._libraries = libraries
        self._every_s = every_s
        self._last: dict[tuple[str, str], _Said] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        """Tell whether a line is written."""
        if record.name.partition(".")[0] not in self._libraries:
            return True
        key = record.name, str(record.msg)
        said = self._last.get(key)
        if said is not None and record.created - said.at_s < self._every_s:
            said.unsaid += 1
            return False
        if said is not None and said.unsaid:
            record.fields = {"unsaid": said.unsaid}
        if said is None and len(self._last) >= _KINDS:
            self._last.clear()
        self._last[key] = _Said(record.created)
        return True
