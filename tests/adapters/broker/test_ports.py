"""Ports that are taken, and ports to pick."""

from __future__ import annotations

import socket

from streamer.adapters.broker import ports


def test_a_listened_port_is_taken() -> None:
    """A port is taken while something listens there, and free afterwards."""
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert ports.is_taken(port)
    assert not ports.is_taken(port)


def test_picked_ports_are_free_and_not_for_outgoing_connections() -> None:
    """No picked port lies where kernels take the ports of outgoing connections from."""
    picked = {ports.pick() for _ in range(20)}
    assert all(ports.LOWEST <= port <= ports.HIGHEST < 32_768 for port in picked)
    assert len(picked) > 1
