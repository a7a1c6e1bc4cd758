"""One HTTP exchange: the way to the target found, the call made, its answer read, and every failure made a value."""

from __future__ import annotations

from functools import lru_cache

from streamer.adapters.http.clients import Pinned
from streamer.adapters.http.deadlines import Deadlines
from streamer.adapters.http.library import HttpLibrary
from streamer.adapters.http.outgoing import Outgoing
from streamer.adapters.http.pace import Pace
from streamer.adapters.http.proxy import told_apart
from streamer.adapters.http.routes import Caller, Routes
from streamer.adapters.http.target import Target
from streamer.adapters.http.transport import Transport, Transports
from streamer.core.outcome import ErrorType, Failure, Response

#: How much longer than the library's own timeout a call may take before it is cut off (RULES 6).
_GRACE_S = 1.0
_UNREACHED = (ErrorType.CONNECT, ErrorType.CONNECT_TIMEOUT)
_HTTP2 = "HTTP/2.0"
#: So many readings of URLs are kept, none of a longer URL: most tasks go to some thousands of them, at most.
_REMEMBERED = 16_384
_LONGEST = 256

#: How an exchange ended, and the address that was called.
End = tuple[Response | Failure, str | None]


class Exchanger:
    """Makes calls, each within its time whatever the peer does."""

    def __init__(self, library: HttpLibrary, routes: Routes, transports: Transports, pace: Pace | None) -> None:
        """Prepare without a connection; without a ``pace`` only the connection and the whole have a time."""
        self._library = library
        self._routes = routes
        self._transports = transports
        self._pace = pace
        self._deadlines = Deadlines()
        self._recall = lru_cache(maxsize=_REMEMBERED)(library.read)

    async def exchange(self, call: Outgoing, *, filled: bool) -> End:
        """Make the call, and return its end with the address that was called.

        ``filled`` tells that the URL may have secrets put in: it is forgotten with the call.
        """
        read = self._library.read if filled or len(call.url) > _LONGEST else self._recall
        try:
            target, url = read(call.url)
        except ValueError as error:
            # What cannot be read can never be sent.
            return Failure(ErrorType.BLOCKED, str(error), begun=False), None
        pinned: Pinned | None = None
        try:
            with self._deadlines.within(call.timeout_ms / 1000 + _GRACE_S):
                found = self._at_once(target, call) or await self._found(target, call)
                if isinstance(found, Failure):
                    return found, None
                pinned = found
                end = await pinned.client.call(call, url, self._deadlines, self._pace)
                if isinstance(end, Failure):
                    if end.error is ErrorType.BLOCKED:
                        return end, None
                    if end.error in _UNREACHED:
                        self._routes.unreached(target, pinned.address)
                elif end.http_version == _HTTP2:
                    pinned.shares = True
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

    def _at_once(self, target: Target, call: Outgoing) -> Pinned | Failure | None:
        """Return the target's client when all is at hand, which is the usual case."""
        transport = self._transports.at_once(target, call.lane, call.how)
        return self._routes.at_once(target, _caller(call, transport)) if transport is not None else None

    async def _found(self, target: Target, call: Outgoing) -> Pinned | Failure:
        """Return the target's client once its secrets are read, its name looked up and the client built."""
        transport = self._transports.at_once(target, call.lane, call.how)
        if transport is None:
            read = await self._transports.find(call.lane, call.how)
            if isinstance(read, Failure):
                return read
            transport = read
        caller = _caller(call, transport)
        return self._routes.at_once(target, caller) or await self._routes.find(target, caller)


def _caller(call: Outgoing, transport: Transport) -> Caller:
    return Caller(transport, call.business, call.how.network, call.shows_credentials)


def _cut_off(pinned: Pinned | None, target: Target) -> Failure:
    if pinned is None:
        return Failure(ErrorType.DNS, f"{target.host} did not resolve in time", begun=False)
    return Failure(ErrorType.TOTAL_TIMEOUT, "no end of the call in time")
