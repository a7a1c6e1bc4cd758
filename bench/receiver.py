"""A receiver that is never the bottleneck: answers 200, counts tasks and calls, and notes how long records took to arrive.

``python -m bench.receiver --delay-ms 20`` prints two ports as JSON and ends on SIGTERM. The first takes calls on every address of
the loopback device, each a domain of its own to Streamer: one socket listens for ten thousand of them. On the second, ``GET
/stats`` tells what came since ``GET /reset``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import time
from collections import defaultdict, deque
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, cast

import uvloop

#: When the record was produced, by the monotonic clock, which all processes of a machine share.
SENT_AT = "x-bench-sent-ns"
_LOOPBACK = b"lo"
_BACKLOG = 1_024

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SENT_AT = re.compile(rb"\r\n" + SENT_AT.encode() + rb": *(\d+)", re.IGNORECASE)
_TASK = re.compile(rb"\r\nwebhook-id: *([^\r]+)", re.IGNORECASE)
_FIRST = ip_address("127.0.0.1")
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_SHOWN = ("calls", "connections", "first_ns", "last_ns", "in_flight", "most_in_flight")


class Tally:
    """What came since the last reset."""

    __slots__ = (*_SHOWN, "gaps_ns", "latencies_ns", "nameless", "resets", "tasks")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.connections = self.in_flight = self.resets = 0
        self.reset()

    def reset(self) -> None:
        """Begin again; connections stay open and calls in flight, and are counted on."""
        self.calls = self.nameless = self.first_ns = self.last_ns = 0
        self.most_in_flight = self.in_flight
        self.resets += 1
        self.tasks: set[bytes] = set()
        self.latencies_ns: list[int] = []
        self.gaps_ns: list[int] = []

    def arrived(self, head: bytes) -> None:
        """Count one call; one that names no task is a task of its own."""
        self.last_ns = time.monotonic_ns()
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.calls == 1:
            self.first_ns = self.last_ns
        if (task := _TASK.search(head)) is not None:
            self.tasks.add(task[1])
        else:
            self.nameless += 1
        if (sent := _SENT_AT.search(head)) is not None:
            self.latencies_ns.append(self.last_ns - int(sent[1]))

    def told(self, path: bytes) -> dict[str, Any]:
        """Return the figures; ``/stats?all`` has every latency and gap."""
        shown = {name: getattr(self, name) for name in _SHOWN} | {"tasks": len(self.tasks) + self.nameless}
        more = {"latencies_ns": self.latencies_ns, "gaps_ns": self.gaps_ns} if path.endswith(b"?all") else {}
        return shown | more


class Slots:
    """The slots of one domain, for who keeps it busy: how long each stood empty between an answer and the next call."""

    __slots__ = ("_answered_ns", "_resets", "_tally")

    def __init__(self, tally: Tally) -> None:
        """Begin with no slot."""
        self._tally = tally
        self._resets = tally.resets
        self._answered_ns: deque[int] = deque()

    def taken(self, now_ns: int) -> None:
        """Note a call: it takes the slot that has been empty longest, or is a slot more."""
        if self._resets != self._tally.resets:
            # What was answered before the reset belongs to another measurement.
            self._resets = self._tally.resets
            self._answered_ns.clear()
        if self._answered_ns:
            self._tally.gaps_ns.append(now_ns - self._answered_ns.popleft())

    def left(self, now_ns: int) -> None:
        """Note an answer."""
        self._answered_ns.append(now_ns)


class Target(asyncio.Protocol):
    """One connection to a port that is called; reads just enough of HTTP to answer in time."""

    def __init__(self, tally: Tally, slots: Callable[[str], Slots], delay_s: float) -> None:
        """Wrap the counts that all connections share, and who knows the slots of an address."""
        self._tally = tally
        self._slots_of = slots
        self._delay_s = delay_s
        self._buffer = b""
        tally.connections += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and learn which domain is called."""
        self._transport = cast("asyncio.Transport", transport)
        self._slots = self._slots_of(transport.get_extra_info("sockname")[0])

    def data_received(self, data: bytes) -> None:
        """Answer every whole request, at once or after the delay."""
        self._buffer = self._buffer + data if self._buffer else data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            stop = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < stop:
                return
            self._buffer = self._buffer[stop:]
            self._tally.arrived(head)
            if self._delay_s:
                self._slots.taken(self._tally.last_ns)
                asyncio.get_running_loop().call_later(self._delay_s, self._answer_late)
            else:
                self._tally.in_flight -= 1
                self._transport.write(_OK)

    def _answer_late(self) -> None:
        self._tally.in_flight -= 1
        self._slots.left(time.monotonic_ns())
        if not self._transport.is_closing():
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
        elif path == b"/forget-gaps":
            self._tally.gaps_ns.clear()
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))


def address_of(domain: int) -> str:
    """Return the address of a domain, one of 127.0.0.1 to 127.255.255.254."""
    return str(_FIRST + domain)


async def _listen(make: Callable[[], asyncio.Protocol]) -> int:
    """Listen on every address of the loopback device, which nothing beyond this machine can reach."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _LOOPBACK)
    listening.bind(("", 0))
    await asyncio.get_running_loop().create_server(make, sock=listening, backlog=_BACKLOG)
    port: int = listening.getsockname()[1]
    return port


async def _serve(delay_s: float) -> None:
    stopped, loop, tally = asyncio.Event(), asyncio.get_running_loop(), Tally()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    domains: dict[str, Slots] = defaultdict(lambda: Slots(tally))
    calls = await _listen(lambda: Target(tally, domains.__getitem__, delay_s))
    print(json.dumps([calls, await _listen(lambda: Desk(tally))]), flush=True)
    await stopped.wait()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="A receiver for the benchmark.")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="from a call to its answer")
    args = parser.parse_args()
    uvloop.run(_serve(args.delay_ms / 1000))


if __name__ == "__main__":
    main()
