"""What a receiver's log says of each call is enough to judge it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.ledgers import calls_of
from bench.oracle import Call
from streamer.adapters.demo.exchange import DROP, OK, Answer, Arrival
from tests.support.arrival_log import ArrivalLog, read_arrivals

HEAD = (
    "POST /hook HTTP/1.1\r\nHost: shop.example:8080\r\nAuthorization: Bearer abc\r\nwebhook-id: tsk_1-g2\r\n"
    "X-Streamer-Attempt: 3\r\nX-Streamer-Task: tsk_1\r\nX-Streamer-Business: red\r\n"
)


async def logged(path: Path, head: str, answer: Answer = OK, *, heads: bool = False) -> Call:
    """Return the oracle's call of an arrival that was logged and read again."""
    with ArrivalLog(path, heads=heads) as log:
        log.add(Arrival("POST", "/hook", head.encode(), b"", 5_000_000, 1_700_000_000_005, 1), answer)
    (arrival,) = read_arrivals(path)
    (call,) = calls_of([arrival])
    return call


async def test_a_call_is_known_by_its_headers(tmp_path: Path) -> None:
    """An update makes another webhook-id, and the task stays the same; the request id tells the generation."""
    call = await logged(tmp_path / "log", f"{HEAD}X-Request-ID: tsk_1.2.3\r\n")
    assert call == Call("tsk_1", 200, 1_700_000_000_005, 3, 2, "shop.example:8080", "red")


@pytest.mark.parametrize("own", ["mine", "tsk_1.two.3", "tsk_10.2.3", ""])
async def test_a_callers_own_request_id_tells_no_generation(tmp_path: Path, own: str) -> None:
    """What is not of our form says nothing."""
    assert (await logged(tmp_path / "log", f"{HEAD}X-Request-ID: {own}\r\n")).generation == 0


async def test_heads_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    """Credentials stand in a head alone, and not in a log that nobody asked to hold them."""
    assert "Bearer abc" in (await logged(tmp_path / "with", HEAD, heads=True)).head
    await logged(tmp_path / "without", HEAD)
    assert "Bearer abc" not in (tmp_path / "without").read_text()


async def test_a_call_of_no_task_of_ours(tmp_path: Path) -> None:
    """What has no headers of ours is a call of nobody's, and a dropped one has no status."""
    call = await logged(tmp_path / "log", "GET / HTTP/1.1\r\nhost: a\r\n", DROP)
    assert call == Call("", None, 1_700_000_000_005, 0, 0, "a")
