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
    ``alone`` the records that were in hand alone, with how often the process has died so.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        before = _read(path)
        self._spans: dict[str, int] = before["handed"] if before["running"] else {}
        self._deaths: dict[str, int] = (
            {key: count + 1 for key, count in before["alone"].items()} if before["running"] else {}
        )
        self._handed: dict[str, int] = dict(self._spans)
        self._alone: dict[str, int] = dict(self._deaths)
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
        self._alone[key] = self._deaths.get(key, 0)
        self._write(running=True)

    def end(self, source: str, partition: int, offset: int) -> None:
        """Note that the record has been handled."""
        if self._alone.pop(f"{source}:{partition}:{offset}", None) is not None:
            self._write(running=True)

    def handed(self, source: str, partition: int, end: int) -> None:
        """Note how far records have been handed out, before any of them runs on."""
        self._handed[f"{source}:{partition}"] = end
        self._write(running=True)

    def close(self) -> None:
        """Note a clean stop."""
        self._handed.clear()
        self._alone.clear()
        self._write(running=False)
        os.close(self._file)

    def _write(self, *, running: bool) -> None:
        # One pwrite of a padded line: a death between two writes leaves the line before or the line after.
        state = {"running": running, "handed": self._handed, "alone": self._alone}
        text = json.dumps(state, separators=(",", ":")).encode()
        self._size = max(self._size, (len(text) // _BLOCK + 1) * _BLOCK)
        os.pwrite(self._file, text.ljust(self._size), 0)


def _read(path: Path) -> dict[str, dict[str, int]]:
    empty: dict[str, dict[str, int]] = {"running": {}, "handed": {}, "alone": {}}
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return empty
    return {**empty, **found} if isinstance(found, dict) else empty
