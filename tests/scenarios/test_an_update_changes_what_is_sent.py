"""An update changes a task that waits: the old form is not sent after the answer, also when the worker is killed."""

from __future__ import annotations

import pytest

from tests.support.receiver_process import receiver_process
from tests.support.scene import Scene, of_task

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

#: Longer than two commands take.
WAIT_MS = 5_000


async def test_the_new_form_is_sent_at_its_time_though_the_worker_is_killed(scene: Scene) -> None:
    """Updated twice, the worker killed at the second answer: one call, the newest form, under an id of its own."""
    async with scene.worker() as first:
        await first.ready()
        sent = await scene.request("/old", id="order-1", delay=f"{WAIT_MS}ms")
        await scene.results.until(len)
        one = await scene.place.run("tasks", "update", "order-1", "--url", scene.url("/second"))
        two = await scene.place.run("tasks", "update", "order-1", "--url", scene.url("/third"), "--header", "X-A=1")
        first.kill()
        async with scene.ready_worker():
            (end,) = await scene.ends(1)
            (call,) = await scene.arrivals(1)
            late = await scene.place.run("tasks", "update", "order-1", "--url", scene.url("/fourth"))
    assert (one.code, two.code, late.code) == (0, 0, 1)
    assert one.out.startswith("order-1  updated: generation 2, due 20")
    assert late.out == "order-1  not: task has ended: succeeded\n"
    assert (call.path, call.id) == ("/third", "order-1-g3")
    assert call.at_ms >= sent.timestamp + WAIT_MS
    assert (end["task_id"], end["generation"], end["state"]) == ("order-1", 3, "succeeded")


async def test_a_task_moves_to_another_domain_and_back(scene: Scene) -> None:
    """Its lane follows its URL; what it was in the lane that it left is never sent."""
    async with receiver_process(scene.place.directory / "other.jsonl") as other, scene.ready_worker():
        await scene.request("/old", id="order-1", delay=f"{WAIT_MS}ms")
        await scene.results.until(len)
        away = await scene.place.run("tasks", "update", "order-1", "--url", other.url + "/away")
        back = await scene.place.run("tasks", "update", "order-1", "--url", scene.url("/back"))
        (end,) = await scene.ends(1)
        # Due after the old form in its lane, and after the form that was away in the other.
        await scene.requests(
            [{"url": scene.url("/later"), "delay": "1s"}, {"url": other.url + "/later", "delay": "1s"}]
        )
        await scene.ends(3)
        there = [call.path for call in other.arrivals()]
    assert (away.code, back.code) == (0, 0), (away, back)
    assert f"moved to {other.url.removeprefix('http://')}" in away.out
    assert [call.path for call in scene.receiver.arrivals()] == ["/back", "/later"]
    assert (scene.receiver.arrivals()[0].id, there) == ("order-1-g3", ["/later"])
    assert (end["generation"], end["state"]) == (3, "succeeded")
    results = of_task(await scene.results.to_end(), "order-1")
    assert [r["generation"] for r in results if r["final"]] == [3]
