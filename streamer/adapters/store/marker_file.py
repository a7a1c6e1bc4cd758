"""The local marker: what this process had in hand, readable after a death without a word (RULES 14)."""

from __future__ import annotations

import json
import os
from pathlib import Path

_TWICE = 2
_BLOCK = 4096


class MarkerFile:
    """A small file per worker; what it says survives the process, since the kernel holds what was written.

    ``running`` stands in it from start to clean stop. ``handed`` are the ends of what was handed out by topic partition,
    ``alone`` the records that were in hand alone, with how often the process has died so; ``in_hand`` are those of them that
    are in hand now. A death counts for these only: a process killed before it comes to a record says nothing about it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        spans, alone, in_hand = _read(path)
        self._spans = spans
        self._deaths = {key: count + (key in in_hand) for key, count in alone.items()}
        self._handed = dict(self._spans)
        self._alone = dict(self._deaths)
        self._in_hand: dict[str, int] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._size = os.fstat(self._file).st_size
        self._write(running=True)

    @property
    def after_unclean_exit(self) -> bool:
        """Tell whether the process before this one died without a word."""
        return bool(self._spans)

    def span_end(self, source: str, partition: int) -> int:
        """Return the end of the span that an unclean exit left unfinished; 0 when there is none."""
        return self._spans.get(f"{source}:{partition}", 0)

    def found_twice(self, source: str, partition: int, offset: int) -> bool:
        """Tell whether the process died twice with this very record in hand alone."""
        return self._deaths.get(f"{source}:{partition}:{offset}", 0) >= _TWICE

    def begin(self, source: str, partition: int, offset: int) -> None:
        """Note that a record of the span is now in hand alone."""
        key = f"{source}:{partition}:{offset}"
        self._alone[key] = self._in_hand[key] = self._deaths.get(key, 0)
        self._write(running=True)

    def end(self, source: str, partition: int, offset: int) -> None:
        """Note that the record has been handled."""
        key = f"{source}:{partition}:{offset}"
        if self._alone.pop(key, None) is not None:
            self._in_hand.pop(key, None)
            self._write(running=True)

    def handed(self, source: str, partition: int, end: int) -> None:
        """Note how far records have been handed out, before any of them runs on."""
        self._handed[f"{source}:{partition}"] = end
        self._write(running=True)

    def close(self) -> None:
        """Note a clean stop."""
        self._handed.clear()
        self._alone.clear()
        self._in_hand.clear()
        self._write(running=False)
        os.close(self._file)

    def _write(self, *, running: bool) -> None:
        # One pwrite of a padded line: a death between two writes leaves the line before or the line after.
        state = {"running": running, "handed": self._handed, "alone": self._alone, "in_hand": self._in_hand}
        text = json.dumps(state, separators=(",", ":")).encode()
        self._size = max(self._size, (len(text) // _BLOCK + 1) * _BLOCK)
        os.pwrite(self._file, text.ljust(self._size), 0)


def _read(path: Path) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Return what an unclean exit left: handed, alone and in hand; a file that is none of ours says nothing."""
    nothing: tuple[dict[str, int], dict[str, int], dict[str, int]] = ({}, {}, {})
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return nothing
    if not isinstance(found, dict) or not found.get("running"):
        return nothing
    counts = (found.get("handed", {}), found.get("alone", {}), found.get("in_hand", {}))
    return counts if all(map(_are_counts, counts)) else nothing


def _are_counts(value: object) -> bool:
    return isinstance(value, dict) and all(type(count) is int for count in value.values())
