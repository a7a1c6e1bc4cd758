"""What a small HTTP server hears and says: arrivals and answers, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from http import HTTPStatus

#: Status codes whose answer never has a body (RFC 9110 §6.4.1).
_BODILESS = (204, 304)


class After(Enum):
    """What the server does with the connection once it has said its answer."""

    KEEP = "keep"
    CLOSE = "close"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it arrived; ``at_ns`` is monotonic, ``at_ms`` the wall clock.

    ``connection`` numbers the server's connections from 1, so that reuse can be seen. The head is kept raw
    and parsed on demand, because most arrivals are only counted.
    """

    method: str
    path: str
    head: bytes
    body: bytes
    at_ns: int
    at_ms: int
    connection: int

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header fields in their order, with their spelling."""
        pairs = (line.partition(":") for line in self.head.decode("latin-1").split("\r\n")[1:])
        return tuple((name, value.strip()) for name, _, value in pairs)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever its case."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says to one arrival, and when.

    ``raw`` replaces everything that would be said by exactly these bytes, so that an answer can be broken on
    purpose: ``raw=b""`` with CLOSE drops the connection, with HANG it never answers.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    delay_s: float = 0.0
    after: After = After.KEEP
    raw: bytes | None = None


OK = Answer()
DROP = Answer(raw=b"", after=After.CLOSE)
SILENCE = Answer(raw=b"", after=After.HANG)


@lru_cache(maxsize=256)
def encoded(answer: Answer, bodiless: bool) -> bytes:
    """Return the answer's bytes; ``bodiless`` is True for an answer to HEAD."""
    if answer.raw is not None:
        return answer.raw
    try:
        phrase = HTTPStatus(answer.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{name}: {value}" for name, value in answer.headers)]
    if answer.status not in _BODILESS:
        lines.append(f"content-length: {len(answer.body)}")
    if answer.after is After.CLOSE:
        lines.append("connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head if bodiless or answer.status in _BODILESS else head + answer.body
