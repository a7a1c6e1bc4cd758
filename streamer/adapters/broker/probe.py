"""The question that tells a broker in service from an open port: a metadata request."""

from __future__ import annotations

import socket
import struct

METADATA = 3
VERSION = 1
TIMEOUT_S = 2.0
CLIENT = b"streamer-probe"


def answers(host: str, port: int) -> bool:
    """Tell whether the broker answers and counts itself among the brokers in service."""
    body = struct.pack(f">hhih{len(CLIENT)}si", METADATA, VERSION, 1, len(CLIENT), CLIENT, 0)
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            _size, _correlation, brokers = struct.unpack(">iii", _read(connection, 12))
    except (OSError, EOFError):
        return False
    return bool(brokers > 0)


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
