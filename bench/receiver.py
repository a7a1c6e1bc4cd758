"""A receiver that is never the bottleneck: answers 200, counts, and notes how long each record took to arrive.

``python -m bench.receiver --ports 8`` prints its ports as JSON and ends with its parent, or on SIGTERM. Each port is a
domain of its own to Streamer. ``GET /stats`` on the last one tells what came since ``GET /reset``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import time
from typing import Any, cast

import uvloop

#: When the record was produced, by the monotonic clock, which all processes of a machine share.
SENT_AT = "x-bench-sent-ns"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SENT_AT = re.compile(rb"\r\n" + SENT_AT.encode() + rb": *(\d+)", re.IGNORECASE)
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Tally:
    """What came since the last reset."""

    __slots__ = ("arrivals", "connections", "first_ns", "last_ns", "latencies_ns")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.connections = 0
        self.reset()

    def reset(self) -> None:
        """Begin again; connections stay open, and are counted on."""
        self.arrivals = self.first_ns = self.last_ns = 0
        self.latencies_ns: list[int] = []

    def arrived(self, head: bytes) -> None:
        """Count one request."""
        self.last_ns = time.monotonic_ns()
        self.arrivals += 1
        if self.arrivals == 1:
            self.first_ns = self.last_ns
        if (sent := _SENT_AT.search(head)) is not None:
            self.latencies_ns.append(self.last_ns - int(sent[1]))

    def told(self, path: bytes) -> dict[str, Any]:
        """Return the figures; ``/stats?all`` has every latency."""
        shown = {name: getattr(self, name) for name in ("arrivals", "connections", "first_ns", "last_ns")}
        return shown | ({"latencies_ns": self.latencies_ns} if path.endswith(b"?all") else {})


class Target(asyncio.Protocol):
    """One connection to a port that is called; reads just enough of HTTP to answer in time."""

    def __init__(self, tally: Tally) -> None:
        """Wrap the counts that all connections share."""
        self._tally = tally
        self._buffer = b""
        tally.connections += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._buffer = self._buffer + data if self._buffer else data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < stop:
                return
            self._buffer = self._buffer[stop:]
            self._tally.arrived(head)
            self._transport.write(_OK)


class Desk(asyncio.Protocol):
    """One connection to the port that tells the figures."""

    def __init__(self, tally: Tally) -> None:
        """Wrap the counts."""
        self._tally = tally

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer one question."""
        path = data.split(b" ", 2)[1]
        body = json.dumps(self._tally.told(path)).encode()
        if path == b"/reset":
            self._tally.reset()
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


async def _serve(ports: int) -> None:
    stopped, loop, tally = asyncio.Event(), asyncio.get_running_loop(), Tally()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    servers = [await loop.create_server(lambda: Target(tally), "127.0.0.1", 0, backlog=1024) for _ in range(ports)]
    servers.append(await loop.create_server(lambda: Desk(tally), "127.0.0.1", 0))
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await stopped.wait()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="A receiver for the benchmark.")
    parser.add_argument("--ports", type=int, default=8)
    uvloop.run(_serve(parser.parse_args().ports))


if __name__ == "__main__":
    main()
