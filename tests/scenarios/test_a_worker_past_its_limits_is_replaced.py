"""A worker that has reached its age drains, says why and ends in good order; side by side, a successor takes its place."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.support.scene import Scene
from tests.support.waiting import until
from tests.support.worker import WorkerProcess

pytestmark = [pytest.mark.broker, pytest.mark.scenario]


async def test_it_ends_by_itself_and_says_why(scene: Scene) -> None:
    """The exit code is 0, as after a SIGTERM; what it had delivered is settled, and nothing is called again."""
    async with scene.ready_worker("old", "--max-age", "8s") as worker:
        await scene.request("/before")
        await scene.ends(1)
        assert await worker.ended(within_s=30) == 0
        assert "worker old ends: it has reached worker.max_age (8s, less up to a tenth by chance)" in said(worker)
    async with scene.ready_worker("next"):
        await scene.request("/after")
        await scene.ends(2)
    assert [arrival.path for arrival in scene.receiver.arrivals()] == ["/before", "/after"]


async def test_successors_go_on_where_two_processes_ended(scene: Scene) -> None:
    """Every process of two is replaced, tasks go on meanwhile, and a SIGTERM ends them all for good."""
    async with scene.worker("0", "--processes", "2", "--max-age", "10s") as workers:
        await until(lambda: len(ready(workers)) >= 2, 30)
        await scene.requests([{"url": scene.url(f"/early/{number}")} for number in range(20)])
        await until(lambda: min(Counter(ready(workers)).values()) >= 2, 60)
        await scene.requests([{"url": scene.url(f"/late/{number}")} for number in range(20)])
        await scene.ends(40, within_s=30)
        workers.terminate()
        assert await workers.ended() == 0
    assert Counter(ready(workers)).keys() == {"0", "1"}
    assert "has ended by its limits: its successor is started" in said(workers)
    assert len({arrival.path for arrival in scene.receiver.arrivals()}) == len(scene.receiver.arrivals()) == 40


async def test_a_limit_that_nobody_could_keep_is_refused(scene: Scene) -> None:
    """A worker that would end as soon as it has begun does not begin."""
    refused = await scene.place.run("worker", "--max-memory", "20MiB")
    assert refused.code == 2
    assert "worker.max_memory (20MiB) must be more than the" in refused.err


def ready(worker: WorkerProcess) -> list[str]:
    """Return the names under which processes said that they are ready."""
    return [json.loads(line)["name"] for line in worker.stdout.read_text().splitlines() if line.endswith("}")]


def said(worker: WorkerProcess) -> str:
    """Return what it said on stderr, folded lines put together."""
    return worker.stderr.read_text()
