"""A call whose head, and whose pieces, must each come in time, beside the whole."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

from pyreqwest.bytes import Bytes
from pyreqwest.exceptions import RequestError
from pyreqwest.http import HeaderMap
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response, ResponseBodyReader

from streamer.adapters.http.deadlines import Deadlines
from streamer.adapters.http.pace import NO_FIRST_BYTE, NO_NEXT_PIECE, Pace
from streamer.core.outcome import Failure


class TooSlow(Exception):
    """One of the waits within a call was too long."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class PacedReader:
    """The pieces of a body, each in time."""

    def __init__(self, reader: ResponseBodyReader, deadlines: Deadlines, seconds: float) -> None:
        self._reader = reader
        self._deadlines = deadlines
        self._seconds = seconds

    async def read_chunk(self) -> Bytes | None:
        """Return the next piece; raises TooSlow."""
        try:
            with self._deadlines.within(self._seconds):
                return await self._reader.read_chunk()
        except RequestError:
            # The library's timeouts are TimeoutErrors too, and say more.
            raise
        except TimeoutError:
            raise TooSlow(NO_NEXT_PIECE) from None


@dataclass(frozen=True, slots=True)
class PacedAnswer:
    """What of an answer is read."""

    status: int
    version: str
    headers: HeaderMap
    body_reader: ResponseBodyReader | PacedReader


class PacedCall:
    """A call as the library has it, with its waits bounded.

    The library has one timeout for both waits. The first one has the connection's time in it: where it is longer than the
    connect timeout, as settings have it, it never ends a call that is still connecting. A call that is given up before its
    head goes on in the library until its whole timeout, as one that is cancelled does; a body that pauses is dropped with
    its connection.
    """

    def __init__(self, call: StreamRequest, deadlines: Deadlines, pace: Pace) -> None:
        """Wrap a call that was not begun."""
        self._call = call
        self._deadlines = deadlines
        self._pace = pace

    async def __aenter__(self) -> PacedAnswer:
        """Make the call, and return its answer once the head is there; raises TooSlow."""
        if self._pace.first_byte_ms is None:
            return self._answer(await self._call.__aenter__())
        try:
            with self._deadlines.within(self._pace.first_byte_ms / 1000):
                answer = await self._call.__aenter__()
        except RequestError:
            raise
        except TimeoutError:
            raise TooSlow(NO_FIRST_BYTE) from None
        return self._answer(answer)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._call.__aexit__(kind, error, trace)

    def _answer(self, answer: Response) -> PacedAnswer:
        reader: ResponseBodyReader | PacedReader = answer.body_reader
        if self._pace.read_ms is not None:
            reader = PacedReader(answer.body_reader, self._deadlines, self._pace.read_ms / 1000)
        return PacedAnswer(answer.status, answer.version, answer.headers, reader)
