"""How long the waits within a call may be, beside the whole."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.core.outcome import ErrorType, Failure


@dataclass(frozen=True, slots=True)
class Pace:
    """How long may pass until the head of an answer, and between two pieces of its body; None: as long as the call."""

    first_byte_ms: int | None = None
    read_ms: int | None = None


#: What came too late, whichever library waited for it.
NO_CONNECTION = Failure(ErrorType.CONNECT_TIMEOUT, "no connection in time", begun=False)
NO_ANSWER = Failure(ErrorType.FIRST_BYTE_TIMEOUT, "no answer began in time")
NO_END = Failure(ErrorType.TOTAL_TIMEOUT, "the answer began, and was not whole in time")
NO_FIRST_BYTE = Failure(ErrorType.FIRST_BYTE_TIMEOUT, "no answer began within http.first_byte_timeout")
NO_NEXT_PIECE = Failure(ErrorType.READ_TIMEOUT, "the answer paused for longer than http.read_timeout")
