"""The benchmark of bombs: its receiver answers a round together, and its verdicts know what costs too much."""

from __future__ import annotations

import asyncio
import zlib

import pytest

from bench.bomb_server import Caller, Round, packed_bomb
from bench.bombs import Looked, verdicts
from bench.load import Heard
from tests.support.waiting import until

MIB = 1024 * 1024


def heard(p99_ms: float, arrived: int = 10) -> Heard:
    return Heard(10, arrived, 20.0, 1.0, p99_ms, p99_ms)


def looked(p99_ms: float, peak_mib: float, arrived: int = 10) -> Looked:
    return Looked(heard(p99_ms, arrived), peak_mib, 100.0, {})


@pytest.mark.parametrize(
    ("seen", "holds"),
    [
        (looked(20.0, 150.0), [True, True]),
        (looked(20.1, 150.0), [True, False]),
        (looked(20.0, 150.1), [False, True]),
        (looked(20.0, 150.0, arrived=9), [True, False]),
    ],
)
def test_what_costs_too_much_falls_short(seen: Looked, holds: list[bool]) -> None:
    """Fifty MiB more and twice the p99 are allowed, and a neighbour's task that never came is not."""
    shown = verdicts("bombs", seen, heard(5.0), looked(10.0, 110.0))
    assert [each.holds for each in shown] == holds
    assert "+50" in shown[0].text
    assert "times that of (a)" in shown[1].text


def test_a_bomb_is_small_and_becomes_large() -> None:
    """A thousandth of its size goes over the wire, as gzip."""
    packed = packed_bomb(8 * MIB)
    assert len(packed) < 16 * 1024
    assert zlib.decompress(packed, 31) == bytes(8 * MIB)


async def test_a_round_is_answered_when_all_of_it_wait() -> None:
    """Nobody is answered before; afterwards each in the way of its path, and the ends are counted."""
    loop, round_ = asyncio.get_running_loop(), Round(3, b"bomb")
    server = await loop.create_server(lambda: Caller(round_), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    calls = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    for number, path in enumerate((b"small", b"bomb", b"endless")):
        assert round_.told() == {"rounds": 0, "answered": 0, "ended": 0, "most_at_once": 0}, number
        calls[number][1].write(b"POST /" + path + b"?0.1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
    async with asyncio.timeout(30):
        assert await calls[0][0].readuntil(b"ok")
        assert b"content-encoding: gzip" in await calls[1][0].readuntil(b"bomb")
        await calls[2][0].readexactly(2 * MIB)
        assert (round_.rounds, round_.answered, round_.most, round_.ended) == (1, 3, 3, 2)
        calls[2][1].close()
        await until(lambda: round_.ended == 3)
    for _, writer in calls:
        writer.close()
    server.close()
    await server.wait_closed()
