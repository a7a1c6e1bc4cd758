"""One ledger of a run: JSON lines that are only ever appended, and stand on the disk soon after."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

#: No line waits for the disk longer than this once another one comes.
_SYNC_S = 0.5


class LedgerFile:
    """Appends lines; ``sync`` puts them on the disk, so that they outlast whatever is killed, the machine included."""

    def __init__(self, path: Path) -> None:
        """Open the file; lines of before stay."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._lines: list[bytes] = []
        self._synced_s = time.monotonic()

    def __enter__(self) -> LedgerFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sync()
        os.close(self._file)

    def add(self, line: object, *, at_once: bool = False) -> None:
        """Append a line; ``at_once`` returns when it is on the disk."""
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        if at_once or time.monotonic() - self._synced_s >= _SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Write what was added, in one piece, and wait for the disk."""
        if self._lines:
            os.write(self._file, b"".join(self._lines))
            self._lines.clear()
            os.fsync(self._file)
        self._synced_s = time.monotonic()


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Return the lines of a ledger, none where there is no file; what was cut off at its end is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield orjson.loads(line)
