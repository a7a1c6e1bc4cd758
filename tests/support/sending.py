"""What tests of senders need: clocks, deliveries, and sockets that misbehave below HTTP."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamer.core.delivery import Delivery, Origin
from streamer.core.request import Request

TASK_ID = "tsk_00112233445566778899aabbccddeeff"


class WallClock:
    """The machine's time, moved forward by hand when a test cannot wait."""

    def __init__(self) -> None:
        """Begin at the machine's time."""
        self.ahead_ms = 0.0

    def now_ms(self) -> int:
        """Return the wall clock in epoch ms."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        """Return a clock in ms that only a test lets jump."""
        return time.monotonic_ns() / 1e6 + self.ahead_ms

    async def sleep_ms(self, delay_ms: float) -> None:
        """Wait for real."""
        await asyncio.sleep(delay_ms / 1000)


def delivery_of(request: Request, *, attempt: int = 1, task_id: str = TASK_ID) -> Delivery:
    """Return a delivery that is due, for a request."""
    origin = Origin("requests", 0, 0, 1_732_291_200_000)
    return Delivery(task_id, "acme", None, "lane", request, origin, 0, 0, attempt=attempt)


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else gets it, and not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port that swallows the first packet of a connection, as a firewall would: its backlog is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = int(listening.getsockname()[1])
        waiting = [socket.socket() for _ in range(4)]
        try:
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
            yield port
        finally:
            for client in waiting:
                client.close()
