"""The arrivals of a receiver's process as JSON lines: written by the process, read by the story's oracle."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from streamer.adapters.demo.exchange import Answer, Arrival

_FLUSH_S = 0.05
_ID = b"\r\nwebhook-id: "
_ATTEMPT = b"\r\nx-streamer-attempt: "
_TASK = b"\r\nx-streamer-task: "
_BUSINESS = b"\r\nx-streamer-business: "
_REQUEST_ID = b"\r\nx-request-id: "
_HOST = b"\r\nhost: "


@dataclass(frozen=True, slots=True)
class LoggedArrival:
    """One line of the log; ``status`` is None when no whole answer was given.

    ``id`` is the webhook-id, of which an update makes another; ``task`` is the task's own. ``generation`` is what the
    request id says, 0 where the caller has set one of its own. ``head`` is there where the log keeps heads.
    """

    at_ns: int
    at_ms: int
    id: str
    attempt: int
    path: str
    status: int | None
    task: str = ""
    generation: int = 0
    host: str = ""
    business: str = ""
    head: str = ""


class ArrivalLog:
    """Appends arrivals to a file in batches, each at most 50 ms after its first arrival."""

    def __init__(self, path: Path, *, heads: bool = False) -> None:
        """Open the file; lines of an earlier process stay. With ``heads`` each line holds the whole head as it came."""
        self._heads = heads
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._lines: list[bytes] = []

    def __enter__(self) -> ArrivalLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()
        os.fsync(self._file)
        os.close(self._file)

    def add(self, arrival: Arrival, answer: Answer) -> None:
        """Note one arrival; the loop's timer writes it."""
        if not self._lines:
            asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)
        head = arrival.head
        lower = head.lower()
        task, attempt = _value(head, lower, _TASK), _value(head, lower, _ATTEMPT)
        line: dict[str, Any] = {
            "at_ns": arrival.at_ns,
            "at_ms": arrival.at_ms,
            "id": _value(head, lower, _ID),
            "attempt": int(attempt) if attempt.isdigit() else 0,
            "path": arrival.path,
            "status": answer.status if answer.raw is None else None,
            "task": task,
            "generation": _generation(_value(head, lower, _REQUEST_ID), task),
            "host": _value(head, lower, _HOST),
            "business": _value(head, lower, _BUSINESS),
        }
        if self._heads:
            line["head"] = head.decode("latin-1")
        self._lines.append(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Write what is noted, in one piece: a reader sees whole lines only."""
        if self._lines:
            os.write(self._file, b"".join(self._lines))
            self._lines.clear()


def read_arrivals(path: Path) -> list[LoggedArrival]:
    """Return the log's arrivals in their order; a file that is not there yet has none."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [LoggedArrival(**orjson.loads(line)) for line in lines]


def _value(head: bytes, lower: bytes, mark: bytes) -> str:
    """Return a header's value, found by its bytes: parsing every head would slow the receiver down."""
    at = lower.find(mark)
    if at < 0:
        return ""
    end = head.find(b"\r\n", at + 2)
    return head[at + len(mark) : end if end >= 0 else None].decode("latin-1")


def _generation(request_id: str, task: str) -> int:
    """Return the generation in a request id that we have made, ``<task>.<generation>.<attempt>``; else 0."""
    if not task or not request_id.startswith(f"{task}."):
        return 0
    generation = request_id[len(task) + 1 :].partition(".")[0]
    return int(generation) if generation.isdigit() else 0
