"""A worker that is asked to stop finishes the calls on the wire, starts no other, and leaves the rest to the next one."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.support.domains import many_domains
from tests.support.scene import Scene
from tests.support.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

TASKS = 1_500
#: Calls to one of twenty domains at once: of 300 ms each, so that all of them take some seconds.
CONCURRENCY = 5
#: The drain, and what a loaded machine needs beside it to end a process.
END_S = 8.0 + 2.0


async def test_sigterm_under_load_sends_nothing_twice(scene: Scene) -> None:
    """It exits 0 within its deadline in the midst of a backlog; each task is called once, by either worker."""
    scene.place.write_settings(
        kafka__session_timeout_s=10,
        kafka__heartbeat_interval_s=1,
        kafka__drain_deadline_s=8,
        worker__domain_concurrency=CONCURRENCY,
    )
    async with many_domains(20, scene.place.directory / "domains.jsonl") as domains:
        await scene.requests([{"url": f"{domains.urls[n % 20]}/delay/300"} for n in range(TASKS)])
        async with scene.ready_worker("first", "--from", "earliest") as first:
            await until(lambda: len(domains.arrivals()) > TASKS // 3, 30)
            asked = time.monotonic()
            first.terminate()
            assert await first.ended() == 0
            took_s = time.monotonic() - asked
        sent = len(domains.arrivals())
        async with scene.ready_worker("second") as second:
            ends = await scene.ends(TASKS, within_s=60)
            second.terminate()
            assert await second.ended() == 0

    assert took_s < END_S
    assert TASKS // 3 < sent < TASKS, "the first worker was not stopped in the midst of its work"
    assert len(ends) == TASKS
    assert {end["state"] for end in ends} == {"succeeded"}
    calls = Counter(arrival.id for arrival in domains.arrivals())
    assert calls == {end["task_id"]: 1 for end in ends}
