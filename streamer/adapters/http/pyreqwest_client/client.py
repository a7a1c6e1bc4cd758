"""One target's client by pyreqwest: a call made, and its end as a value."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from pyreqwest.client import Client
from pyreqwest.exceptions import RequestError
from pyreqwest.request import StreamRequest

from streamer.adapters.http.deadlines import Deadlines
from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.pace import Pace
from streamer.adapters.http.pyreqwest_client.answer import read_answer, read_paced_answer
from streamer.adapters.http.pyreqwest_client.failures import failure_of
from streamer.adapters.http.pyreqwest_client.paced import PacedCall, TooSlow
from streamer.core.outcome import ErrorType, Failure, Response

#: Nothing of a body is read before it is asked for: how large it is, the library does not know yet. With 4 KiB, 200 gzip bombs
#: at once took 14 MiB more in the mean, and a small answer less than 1 µs less.
_AHEAD_BYTES = 0


class PyreqwestClient:
    """Makes calls on tasks of the library's own, in threads that do not hold the GIL.

    So a call that is cancelled here goes on there, until its timeout at the latest.
    """

    __slots__ = ("_client", "_scheme")

    def __init__(self, client: Client, scheme: str) -> None:
        """Wrap the library's client, which is pinned to its target's address."""
        self._client = client
        self._scheme = scheme

    async def call(self, call: Outgoing, url: Any, deadlines: Deadlines, pace: Pace | None) -> Response | Failure:
        """Make the call, and return how it ended; raises ClientClosed."""
        try:
            request = self._request(call, url)
        except ValueError as error:
            # What the library's own checks refuse can never be sent.
            return Failure(ErrorType.BLOCKED, str(error), begun=False)
        try:
            if pace is None:
                return await read_answer(request, call.keep_bytes)
            return await read_paced_answer(PacedCall(request, deadlines, pace), call.keep_bytes)
        except TooSlow as slow:
            return slow.failure
        except RequestError as error:
            return failure_of(error, self._scheme)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    def _request(self, call: Outgoing, url: Any) -> StreamRequest:
        builder = self._client.request(call.method, url).headers(call.headers)
        if call.body:
            builder = builder.body_bytes(call.body)
        return builder.streamed_read_buffer_limit(_AHEAD_BYTES).timeout(_span(call.timeout_ms)).build_streamed()


@lru_cache(maxsize=256)
def _span(ms: int) -> timedelta:
    return timedelta(milliseconds=ms)
