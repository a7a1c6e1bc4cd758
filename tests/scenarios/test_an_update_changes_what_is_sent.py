"""An update changes a task that waits: the old form is not sent after the answer, also when the worker is killed."""

from __future__ import annotations

import time

import pytest

from streamer.wire.instants import format_instant
from tests.support.receiver_process import receiver_process
from tests.support.scene import Scene, of_task

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

WAIT_MS = 3_000


async def test_the_new_form_is_sent_though_the_worker_is_killed(scene: Scene) -> None:
    """Updated twice, the worker killed at the second answer: one call, the newest form, under an id of its own."""
    async with scene.worker() as first:
        await first.ready()
        await scene.request("/old", id="order-1", delay="1h")
        await scene.results.until(len)
        one = await scene.place.run("tasks", "update", "order-1", "--url", scene.url("/second"))
        send_at_ms = time.time_ns() // 1_000_000 + WAIT_MS
        change = ("--url", scene.url("/third"), "--send-at", format_instant(send_at_ms))
        two = await scene.place.run("tasks", "update", "order-1", *change)
        first.kill()
        async with scene.ready_worker():
            (end,) = await scene.ends(1)
            (call,) = await scene.arrivals(1)
            late = await scene.place.run("tasks", "update", "order-1", "--url", scene.url("/fourth"))
    assert (one.code, two.code, late.code) == (0, 0, 1)
    assert one.out.startswith("order-1  updated: generation 2, due 20")
    assert two.out.startswith("order-1  updated: generation 3, due 20")
    assert late.out == "order-1  not: task has ended: succeeded\n"
    assert (call.path, call.id) == ("/third", "order-1-g3")
    assert call.at_ms >= send_at_ms
    assert (end["task_id"], end["generation"], end["state"]) == ("order-1", 3, "succeeded")


async def test_a_task_moves_to_another_domain_and_back(scene: Scene) -> None:
    """Its lane follows its URL; it is called once, where it was sent last."""
    async with receiver_process(scene.place.directory / "other.jsonl") as other, scene.ready_worker():
        await scene.request("/old", id="order-1", delay="1h")
        await scene.results.until(len)
        away = await scene.place.run("tasks", "update", "order-1", "--url", other.url + "/away")
        now = format_instant(time.time_ns() // 1_000_000)
        back = await scene.place.run("tasks", "update", "order-1", "--url", scene.url("/back"), "--send-at", now)
        (end,) = await scene.ends(1)
        there = other.arrivals()
    assert (away.code, back.code) == (0, 0), (away, back)
    assert f"moved to {other.url.removeprefix('http://')}" in away.out
    assert [(call.path, call.id) for call in scene.receiver.arrivals()] == [("/back", "order-1-g3")]
    assert there == []
    assert (end["generation"], end["state"]) == (3, "succeeded")
    results = of_task(await scene.results.to_end(), "order-1")
    assert [r["generation"] for r in results if r["final"]] == [3]
