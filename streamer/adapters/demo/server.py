"""A small, fast HTTP/1.1 server on the loopback interface, for the demo receiver and for tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import cast

from streamer.adapters.demo.exchange import After, Answer, Arrival, encoded

#: A head that is longer is refused, so that a peer cannot make the buffer grow for ever.
_HEAD_LIMIT_BYTES = 64 * 1024

Respond = Callable[[Arrival], Answer]


class Server:
    """Listens on 127.0.0.1 and answers each request by what ``respond`` returns for it."""

    def __init__(self, respond: Respond, port: int = 0) -> None:
        """Prepare a server; port 0 takes any free one, which ``port`` tells after the start."""
        self.respond = respond
        self.port = port
        self.accepted = 0
        self._server: asyncio.Server | None = None
        self._open: set[_Connection] = set()

    @property
    def url(self) -> str:
        """The server's base URL, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> str:
        """Listen, and return the base URL."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.url

    async def stop(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is None:
            return
        self._server.close()
        self.cut()
        await self._server.wait_closed()
        self._server = None

    def cut(self) -> None:
        """Cut every open connection; the server goes on listening."""
        for connection in tuple(self._open):
            connection.abort()

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def joined(self, connection: _Connection) -> int:
        """Note a new connection and return its number, from 1."""
        self._open.add(connection)
        self.accepted += 1
        return self.accepted

    def left(self, connection: _Connection) -> None:
        """Forget a closed connection."""
        self._open.discard(connection)


class _Connection(asyncio.Protocol):
    """One connection: reads a request, says its answer, then reads the next."""

    __slots__ = ("_answering", "_buffer", "_delay", "_number", "_server", "_transport")

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = b""
        self._answering = False
        self._delay: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: uvloop's transports have the methods but not the base class.
        self._transport = cast("asyncio.Transport", transport)
        self._number = self._server.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._delay is not None:
            self._delay.cancel()
        self._server.left(self)

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._answering:
            self._take()

    def _take(self) -> None:
        """Take requests off the buffer, one at a time: the next one waits until this one is answered."""
        while not self._answering:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _HEAD_LIMIT_BYTES:
                    self._refuse(431)
                return
            head = self._buffer[:end]
            length = _content_length(head)
            if length is None:
                self._refuse(411)
                return
            stop = end + 4 + length
            if len(self._buffer) < stop:
                return
            body = self._buffer[end + 4 : stop]
            self._buffer = self._buffer[stop:]
            self._arrived(head, body)

    def _arrived(self, head: bytes, body: bytes) -> None:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].decode("latin-1")
        at_ns, at_ms = time.monotonic_ns(), time.time_ns() // 1_000_000
        arrival = Arrival(method.decode("latin-1"), path, head, body, at_ns, at_ms, self._number)
        answer = self._server.respond(arrival)
        self._answering = True
        if answer.delay_s > 0:
            loop = asyncio.get_running_loop()
            self._delay = loop.call_later(answer.delay_s, self._late, answer, arrival.method)
        else:
            self._say(answer, arrival.method)

    def _late(self, answer: Answer, method: str) -> None:
        self._delay = None
        self._say(answer, method)
        self._take()

    def _say(self, answer: Answer, method: str) -> None:
        self._transport.write(encoded(answer, method == "HEAD"))
        if answer.after is After.CLOSE:
            self._transport.close()
        self._answering = answer.after is not After.KEEP

    def _refuse(self, status: int) -> None:
        self._say(Answer(status, after=After.CLOSE), "")


def _content_length(head: bytes) -> int | None:
    """Return the body's length that a head declares, 0 without a body, None when it does not say."""
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        return None if b"\r\ntransfer-encoding:" in lowered else 0
    value = lowered[at + 17 :].partition(b"\r\n")[0].strip()
    return int(value) if value.isdigit() else None
