"""A server that speaks HTTP/2, over TLS or at once, and HTTP/1.1 where TLS agrees upon that."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, RequestReceived, StreamEnded

from tests.support.raw_server import raw_server


@dataclass(slots=True)
class Http2Server:
    """What the server saw; ``hold`` keeps answers back until it is set."""

    port: int = 0
    connections: int = 0
    open: int = 0
    versions: list[str] = field(default_factory=list)
    carried_by: list[int] = field(default_factory=list)
    """Per request, the number of the connection it came on."""
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        self.open += 1
        number = self.connections
        tls = writer.get_extra_info("ssl_object")
        try:
            if tls is not None and tls.selected_alpn_protocol() != "h2":
                await self._serve_http1(number, reader, writer)
            else:
                await self._serve_http2(number, reader, writer)
        finally:
            self.open -= 1

    async def _serve_http1(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            self.versions.append("1.1")
            self.carried_by.append(number)
            await self.hold.wait()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async def _serve_http2(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        answers: set[asyncio.Task[None]] = set()
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived):
                    self.versions.append("2")
                    self.carried_by.append(number)
                elif isinstance(event, StreamEnded):
                    answers.add(asyncio.create_task(self._answer(connection, event.stream_id or 0, writer)))
                elif isinstance(event, ConnectionTerminated):
                    return
            writer.write(connection.data_to_send())

    async def _answer(self, connection: H2Connection, stream: int, writer: asyncio.StreamWriter) -> None:
        await self.hold.wait()
        connection.send_headers(stream, [(":status", "200"), ("content-length", "2")])
        connection.send_data(stream, b"ok", end_stream=True)
        writer.write(connection.data_to_send())


@asynccontextmanager
async def http2_server(context: ssl.SSLContext | None = None) -> AsyncIterator[Http2Server]:
    """Serve on a port of 127.0.0.1, and answer at once until told to hold."""
    server = Http2Server()
    server.hold.set()
    async with raw_server(server.serve, context) as port:
        server.port = port
        yield server
