"""Reads request records from a stream of JSON lines, as they arrive, and says which of them are no good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from streamer.core.reading import Accepted, Refused
from streamer.wire.limits import Limits
from streamer.wire.request_reader import read_request

PIECE_BYTES = 256 * 1024


class Stream(Protocol):
    """Bytes that arrive in pieces."""

    def read1(self, size: int, /) -> bytes:
        """Return what there is, at most ``size`` bytes; nothing at the end."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line and its number from 1; ``value`` is None when it is longer than ``bytes_allowed``."""

    number: int
    value: bytes | None
    bytes_allowed: int


def read_lines(stream: Stream, bytes_allowed: int, on_read: Callable[[int], None]) -> Iterator[Sequence[Line]]:
    """Yield groups of lines without their ends, empty ones left out, as soon as they are there.

    A group is what one read brought, so that a slow producer's line does not wait for those after it.
    """
    number, rest, too_long = 1, b"", False
    while piece := stream.read1(PIECE_BYTES):
        on_read(len(piece))
        *whole, rest = (rest + piece).split(b"\n")
        group = []
        for text in whole:
            if too_long or len(text) > bytes_allowed:
                group.append(Line(number, None, bytes_allowed))
            elif text.strip():
                group.append(Line(number, text, bytes_allowed))
            number, too_long = number + 1, False
        if len(rest) > bytes_allowed:
            rest, too_long = b"", True
        if group:
            yield group
    if too_long or rest.strip():
        yield [Line(number, None if too_long else rest, bytes_allowed)]


def check(line: Line, limits: Limits, now_ms: int) -> Accepted | Refused:
    """Read a line as intake will read the record."""
    if line.value is None:
        return Refused(None, f"the record is too long; at most {line.bytes_allowed} bytes are allowed")
    return read_request(line.value, (), limits, now_ms)
