"""A task that waits is sent at once, and one that has ended again: under the same id, also when the worker is killed."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.progress import all_committed
from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]


async def test_run_now_and_retry(scene: Scene) -> None:
    """One waits an hour, one has failed for good; each is asked for, the worker killed between, and each is called once more."""
    place = scene.place
    async with scene.worker() as first:
        await first.ready()
        await scene.request("/waits", id="waits", delay="1h")
        await scene.request("/fail/1/410", id="failed")
        await scene.results.until(lambda results: {r["task_id"] for r in results} == {"waits", "failed"})
        # Between a result and its state a kill may repeat the attempt; that is another story.
        await all_committed(
            place.bootstrap, place.partitions, {f"{place.group}-deliver": [place.topics.deliveries, place.topics.due]}
        )
        first.kill()
        asked = asyncio.create_task(place.run("tasks", "run-now", "waits", "failed", "--wait-for", "20s"))
        async with scene.ready_worker():
            ran = await asked
            retried = await place.run("tasks", "retry", "failed", "--json")
            ends = await scene.ends(3)
            unforced = await place.run("tasks", "retry", "failed")
    assert sorted(ran.out.splitlines()) == ["failed  not: task has ended: failed", "waits  runs now: generation 2"]
    assert (ran.code, retried.code, unforced.code) == (1, 0, 1), (retried, unforced)
    assert unforced.out == "failed  not: task has succeeded; force it to send it again\n"
    assert [(row["id"], row["answer"]) for row in retried.objects] == [("failed", "sent again: generation 2")]
    told = sorted((end["task_id"], end["generation"], end["state"]) for end in ends)
    assert told == [("failed", 1, "failed"), ("failed", 2, "succeeded"), ("waits", 2, "succeeded")]
    calls = sorted((call.id, call.path) for call in scene.receiver.arrivals())
    assert calls == [("failed", "/fail/1/410"), ("failed", "/fail/1/410"), ("waits", "/waits")]
