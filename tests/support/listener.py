"""A server that counts who comes: a target where it may be called, a trap where it may not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streamer.adapters.broker import ports
from tests.support.raw_server import raw_server

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Listener:
    """Answers 200 to whatever asks for nothing but a head, over and over on one connection."""

    def __init__(self) -> None:
        self.port = 0
        self.accepted = 0
        self.answered = 0
        self.open = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until its peer has gone."""
        self.accepted += 1
        self.open += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.answered += 1
                writer.write(_ANSWER)
        finally:
            self.open -= 1


@asynccontextmanager
async def listening(*hosts: str, port: int = 0) -> AsyncIterator[Listener]:
    """Listen on addresses of this machine, on a port that another listener has on another address, or on a free one."""
    listener = Listener()
    # Not any free port of the first address: on the others it may be that of somebody's outgoing connection.
    async with raw_server(listener.handle, hosts=hosts[:1], port=port or ports.pick()) as listener.port:
        if len(hosts) == 1:
            yield listener
            return
        async with raw_server(listener.handle, hosts=hosts[1:], port=listener.port):
            yield listener


#: The traps of this process, so that a run over many tests can tell how often any of them was hit.
TRAPS: list[Listener] = []


@asynccontextmanager
async def trap(*hosts: str, port: int = 0) -> AsyncIterator[Listener]:
    """Listen where nobody may come: it counts among the traps, and has failed its test when it was hit."""
    async with listening(*hosts, port=port) as listener:
        TRAPS.append(listener)
        yield listener
    assert listener.accepted == 0, f"the trap was hit {listener.accepted} times"
