"""Ports on the loopback interface: which are taken, and which to pick."""

from __future__ import annotations

import random
import socket

from streamer.adapters.broker.errors import BrokerError

LOOPBACK = "127.0.0.1"
TRIES = 200

# Below the range from which kernels take the ports of outgoing connections (Linux: from 32768). While a
# broker is down, a client that calls a port of that range can be given the very port it calls: it is then
# connected to itself, and the broker cannot have its port back.
LOWEST, HIGHEST = 18_000, 31_999


def is_taken(port: int) -> bool:
    """Tell whether something listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def pick() -> int:
    """Return a port that nothing listens on."""
    for _ in range(TRIES):
        port = random.randint(LOWEST, HIGHEST)
        if not is_taken(port):
            return port
    raise BrokerError(f"no free port between {LOWEST} and {HIGHEST} on {LOOPBACK}: choose one with --port")
