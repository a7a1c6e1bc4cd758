"""The connections of one client: given to one call at a time, or to all together where HTTP/2 is spoken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from streamer.adapters.http.httpx_client.link import Link
from streamer.adapters.http.library import ClientClosed
from streamer.core.outcome import ErrorType, Failure

Connect = Callable[[], Awaitable[Link | Failure]]

#: A peer that hangs up on whoever has just connected is not connected to over and over.
_TRIES = 3
_HUNG_UP = Failure(ErrorType.CONNECT, "connections are closed as soon as they are open", begun=False)


class Links:
    """Keeps idle connections, at most so many and for so long; the one that was used last is used next.

    They lead to one target, so that nothing is searched for: httpcore's own pool looks at each connection for each call.

    Invariant: a call that was left before its end takes its connection along.
    """

    def __init__(self, connect: Connect, *, may_share: bool, idle_most: int, idle_s: float) -> None:
        """Prepare without a connection; ``may_share`` tells that HTTP/2 may be spoken."""
        self._connect = connect
        self._may_share = may_share
        self._idle_most = idle_most
        self._idle_s = idle_s
        self._idle: deque[Link] = deque()
        self._shared: Link | None = None
        self._busy: set[Link] = set()
        self._opening: asyncio.Task[Failure | None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self) -> Link | Failure:
        """Return a connection for one call, opened if it must be, which wants to be given back; raises ClientClosed."""
        for _ in range(_TRIES):
            if self._closed:
                raise ClientClosed
            if (link := self._at_hand()) is not None:
                link.calls += 1
                self._busy.add(link)
                return link
            failure = await (self._open_for_all() if self._may_share else self._open())
            if failure is not None:
                return failure
        return _HUNG_UP

    def give_back(self, link: Link, *, whole: bool) -> None:
        """End a call; ``whole`` tells that its answer was read to the end."""
        link.calls -= 1
        link.fresh = False
        link.spoilt = link.spoilt or not whole
        if link.calls:
            return
        self._busy.discard(link)
        if self._closed or not link.is_fit():
            self._drop(link)
        elif link is self._shared:
            self._rest(link)
        elif link.shared or len(self._idle) >= self._idle_most:
            self._drop(link)
        else:
            self._idle.append(link)
            self._rest(link)

    async def close(self) -> None:
        """Close every connection; calls in flight fail."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._opening is not None:
            self._opening.cancel()
        for link in {*self._idle, *self._busy, *((self._shared,) if self._shared else ())}:
            self._drop(link)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _at_hand(self) -> Link | None:
        if (shared := self._shared) is not None:
            if shared.is_fit():
                return shared
            self._shared = None
            if not shared.calls:
                self._drop(shared)
        while self._idle:
            if (link := self._idle.pop()).is_fit():
                return link
            self._drop(link)
        return None

    async def _open(self) -> Failure | None:
        """Open a connection, and lay it ready; or return why there is none."""
        found = await self._connect()
        if isinstance(found, Failure):
            return found
        if self._closed or (found.shared and self._shared is not None):
            # Of two that were opened side by side, one is enough for all.
            self._drop(found)
        elif found.shared:
            self._may_share = True
            self._shared = found
            self._rest(found)
        else:
            self._may_share = False
            self._idle.append(found)
            self._rest(found)
        return None

    async def _open_for_all(self) -> Failure | None:
        """Open one connection for all that ask meanwhile: it is not known yet whether they can share it."""
        task = self._opening
        if task is None:
            task = self._opening = asyncio.create_task(self._open())
            task.add_done_callback(self._opened)
        try:
            # Shielded: a call that is given up must not take the connection from the others that wait for it.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if task.cancelled() and caller is not None and not caller.cancelling():
                # It is the client that was closed; who waits was not cancelled, and must not look so.
                raise ClientClosed from None
            raise

    def _opened(self, task: asyncio.Task[Failure | None]) -> None:
        self._opening = None

    def _rest(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        link.idle_since_s = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._idle_s, self._tidy)

    def _tidy(self) -> None:
        """Close what was idle for too long; the longest idle stand first."""
        loop = asyncio.get_running_loop()
        since_s = loop.time() - self._idle_s
        while self._idle and self._idle[0].idle_since_s <= since_s:
            self._drop(self._idle.popleft())
        shared = self._shared
        if shared is not None and not shared.calls and shared.idle_since_s <= since_s:
            self._shared = None
            self._drop(shared)
        left = bool(self._idle) or self._shared is not None
        self._timer = loop.call_later(self._idle_s, self._tidy) if left else None

    def _drop(self, link: Link) -> None:
        link.spoilt = True
        task = asyncio.create_task(link.connection.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
