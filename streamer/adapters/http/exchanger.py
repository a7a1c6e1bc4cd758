"""One HTTP exchange: the way to the target found, the call made, its answer read, and every failure made a value."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from pyreqwest.exceptions import RequestError
from pyreqwest.http import Url
from pyreqwest.request import StreamRequest

from streamer.adapters.http.answer import read_answer
from streamer.adapters.http.clients import Pinned
from streamer.adapters.http.deadlines import Deadlines
from streamer.adapters.http.failures import failure_of
from streamer.adapters.http.paced import Pace, PacedCall, TooSlow
from streamer.adapters.http.proxy import told_apart
from streamer.adapters.http.routes import Caller, Routes
from streamer.adapters.http.target import Target, read_target
from streamer.adapters.http.transport import Transports
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.send_policy import SendPolicy

#: How much longer than the client's own timeout a call may take before it is cut off (RULES 6).
_GRACE_S = 1.0
_UNREACHED = (ErrorType.CONNECT, ErrorType.CONNECT_TIMEOUT)
_HTTP2 = "HTTP/2.0"

#: How an exchange ended, and the address that was called.
End = tuple[Response | Failure, str | None]


class Outgoing(NamedTuple):
    """A call as it goes on the wire, and for whom; it may hold secrets, and is never shown.

    ``keep_bytes`` of the answer's body are kept. A tuple, because it is made for every call.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    timeout_ms: int
    keep_bytes: int
    lane: str
    how: SendPolicy
    business: str = ""
    shows_credentials: bool = False

    def __repr__(self) -> str:
        """Tell where to, and no more."""
        return f"Outgoing({self.method} {self.lane})"


class Exchanger:
    """Makes calls, each within its time whatever the peer does."""

    def __init__(self, routes: Routes, transports: Transports, pace: Pace | None) -> None:
        """Prepare without a connection; without a ``pace`` only the connection and the whole have a time."""
        self._routes = routes
        self._transports = transports
        self._pace = pace
        self._deadlines = Deadlines()

    async def exchange(self, call: Outgoing) -> End:
        """Make the call, and return its end with the address that was called."""
        try:
            url = Url(call.url)
            target = read_target(url)
        except ValueError as error:
            return _refused(error), None
        pinned: Pinned | None = None
        try:
            with self._deadlines.within(call.timeout_ms / 1000 + _GRACE_S):
                found = await self._found(target, call)
                if isinstance(found, Failure):
                    return found, None
                pinned = found
                try:
                    request = _request(pinned, call, url, at_once=self._pace is not None)
                except ValueError as error:
                    return _refused(error), None
                end = await self._answered(request, pinned, call.keep_bytes)
                if (proxy := self._routes.proxy) is not None:
                    end = await told_apart(proxy, target, end)
                return end, pinned.address or None
        except TimeoutError:
            return _cut_off(pinned, target), pinned.address or None if pinned is not None else None
        finally:
            if pinned is not None:
                self._routes.give_back(pinned)

    async def close(self) -> None:
        """Close every connection."""
        self._deadlines.close()
        await self._routes.close()

    async def _found(self, target: Target, call: Outgoing) -> Pinned | Failure:
        """Return the target's client; nothing is waited for when all is at hand, which is the usual case."""
        transport = self._transports.at_once(target, call.lane, call.how)
        if transport is None:
            read = await self._transports.find(call.lane, call.how)
            if isinstance(read, Failure):
                return read
            transport = read
        caller = Caller(transport, call.business, call.how.network, call.shows_credentials)
        return self._routes.at_once(target, caller) or await self._routes.find(target, caller)

    async def _answered(self, request: StreamRequest, pinned: Pinned, keep_bytes: int) -> Response | Failure:
        call = request if self._pace is None else PacedCall(request, self._deadlines, self._pace)
        try:
            answer = await read_answer(call, keep_bytes)
        except TooSlow as slow:
            return Failure(slow.error, slow.message)
        except RequestError as error:
            failure = failure_of(error, pinned.target.scheme)
            if failure.error in _UNREACHED:
                self._routes.unreached(pinned.target, pinned.address)
            return failure
        if answer.http_version == _HTTP2:
            pinned.shares = True
        return answer


def _request(pinned: Pinned, call: Outgoing, url: Url, *, at_once: bool) -> StreamRequest:
    """Return the call; ``at_once`` lets its head be seen before any of the body is there, which costs a little more."""
    builder = pinned.client.request(call.method, url).headers(call.headers)
    if call.body:
        builder = builder.body_bytes(call.body)
    if at_once:
        builder = builder.streamed_read_buffer_limit(0)
    return builder.timeout(timedelta(milliseconds=call.timeout_ms)).build_streamed()


def _refused(error: ValueError) -> Failure:
    """Return the end of a request that the parser or the client's own checks refuse: it can never be sent."""
    return Failure(ErrorType.BLOCKED, str(error), begun=False)


def _cut_off(pinned: Pinned | None, target: Target) -> Failure:
    if pinned is None:
        return Failure(ErrorType.DNS, f"{target.host} did not resolve in time", begun=False)
    return Failure(ErrorType.TOTAL_TIMEOUT, "no end of the call in time")
