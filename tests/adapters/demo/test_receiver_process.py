"""The receiver's process, on whose log the stories' oracles rely."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from tests.support.arrival_log import read_arrivals
from tests.support.receiver_process import receiver_process
from tests.support.waiting import until

HEADERS = {"webhook-id": "tsk_1", "X-Streamer-Attempt": "3"}


async def test_log_is_whole_at_the_end(tmp_path: Path) -> None:
    """Every arrival is in the log when the process has ended, with id, attempt, path and status."""
    log = tmp_path / "arrivals.jsonl"
    async with (
        receiver_process(log) as process,
        httpx.AsyncClient(base_url=process.url, trust_env=False) as client,
    ):
        await asyncio.gather(*(client.post("/status/503", headers=HEADERS, content=b"x") for _ in range(50)))
        assert (await client.get("/elsewhere")).status_code == 200
    arrivals = read_arrivals(log)
    assert len(arrivals) == 51
    first, last = arrivals[0], arrivals[-1]
    assert (first.id, first.attempt, first.path, first.status) == ("tsk_1", 3, "/status/503", 503)
    assert (last.id, last.attempt, last.path, last.status) == ("", 0, "/elsewhere", 200)
    assert [a.at_ns for a in arrivals] == sorted(a.at_ns for a in arrivals)
    assert abs(last.at_ms - first.at_ms - (last.at_ns - first.at_ns) / 1e6) < 1_000


async def test_log_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    """An arrival stands in the log soon after, without the process's end, and later ones are appended."""
    log = tmp_path / "arrivals.jsonl"
    await _one_call(log)
    assert len(read_arrivals(log)) == 1
    await _one_call(log)
    assert len(read_arrivals(log)) == 2


async def _one_call(log: Path) -> None:
    """Make a call, and wait until the log of the process that still runs has grown by it."""
    before = len(read_arrivals(log))
    async with receiver_process(log) as process, httpx.AsyncClient(trust_env=False) as client:
        await client.get(process.url + "/ok")
        await until(lambda: len(process.arrivals()) == before + 1)


async def test_paths_choose_the_behaviour(tmp_path: Path) -> None:
    """A path fails the first calls of each task, drops, or delays, as its words say."""
    async with (
        receiver_process(tmp_path / "log") as process,
        httpx.AsyncClient(base_url=process.url, trust_env=False) as client,
    ):
        for task in ("a", "b"):
            statuses = [(await client.get("/fail/2/500", headers={"webhook-id": task})).status_code for _ in range(3)]
            assert statuses == [500, 500, 200]
        answer = await client.get("/delay/100")
        assert answer.elapsed.total_seconds() >= 0.1
        dropped = await asyncio.gather(client.get("/drop"), client.get("/cut"), return_exceptions=True)
        assert all(isinstance(end, httpx.RemoteProtocolError) for end in dropped)
