"""An egress proxy for tests: forwards HTTP, opens tunnels, and refuses whom it is told to refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.support.raw_server import raw_server

#: Every name leads to this machine.
_ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the proxy was asked for: ``CONNECT host:port``, or a method and a whole URL."""

    method: str
    target: str
    headers: dict[str, str]


@dataclass(slots=True)
class EgressProxy:
    """Keeps what it was asked; ``refusals`` are raw answers by host."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    refusals: dict[str, bytes] = field(default_factory=dict)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the first request of a connection; what follows on it is handed on as it is."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, version = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.asked.append(Asked(method, target, headers))
        url = urlsplit(target if "://" in target else f"//{target}")
        if (refusal := self.refusals.get(url.hostname or "")) is not None:
            writer.write(refusal)
            return
        to_reader, to_writer = await asyncio.open_connection(_ADDRESS, url.port)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                kept = [line for line in lines if not line.lower().startswith("proxy-")]
                path = url.path + (f"?{url.query}" if url.query else "")
                to_writer.write("\r\n".join([f"{method} {path} {version}", *kept, "", ""]).encode("latin-1"))
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_pump(reader, to_writer))
                pumps.create_task(_pump(to_reader, writer))
        finally:
            to_writer.transport.abort()


@asynccontextmanager
async def egress_proxy() -> AsyncIterator[EgressProxy]:
    """Run a proxy in this loop."""
    proxy = EgressProxy()
    async with raw_server(proxy.handle) as proxy.port:
        yield proxy


def refusal(status: int, words: str, *, reason: str = "") -> bytes:
    """Return an answer that refuses, with smokescreen's header where it gives a reason."""
    header = f"X-Smokescreen-Error: {reason}\r\n" if reason else ""
    return f"HTTP/1.1 {status} {words}\r\n{header}content-length: 0\r\nconnection: close\r\n\r\n".encode()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
    if writer.can_write_eof():
        writer.write_eof()
