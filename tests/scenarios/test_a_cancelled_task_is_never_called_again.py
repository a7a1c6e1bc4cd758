"""A cancel holds from its answer on: in every tier, on the wire, and though the worker is killed in the midst of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from streamer.cli.replay import control_record
from streamer.core.command import Command, Verb
from streamer.core.lane_key import lane_key
from streamer.wire.instants import parse_instant
from tests.support.scene import Scene, of_task
from tests.support.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

WAITING, FAILING = 60, 3
#: Longer than a command takes to start on a machine that does other things, too.
WAIT_MS = 8_000
CALL_MS = 1_500


async def test_no_call_after_the_answer_though_the_worker_is_killed(scene: Scene) -> None:
    """Tasks wait for their time or their retry; the worker dies when the first is cancelled, and its heir cancels the rest."""
    requests: list[dict[str, Any]] = [
        {"url": scene.url("/waits"), "id": f"w-{n}", "delay": f"{WAIT_MS}ms"} for n in range(WAITING)
    ]
    retry = {"intervals": ["1s"] * 10}
    requests += [{"url": scene.url("/status/503"), "id": f"f-{n}", "retry": retry} for n in range(FAILING)]
    ids = [str(request["id"]) for request in requests]
    async with scene.worker() as first:
        await first.ready()
        await scene.requests(requests)
        await scene.results.until(lambda results: len({r["task_id"] for r in results}) == len(requests))
        cancelling = asyncio.create_task(scene.place.run("tasks", "cancel", *ids, "--wait-for", "20s", "--json"))
        await scene.results.until(lambda results: any(r["outcome"] == "cancelled" for r in results))
        first.kill()
        async with scene.ready_worker():
            cancelled = await cancelling
            # Due later than all of them in the same lane: when it has been called, they have come from their tiers.
            await scene.request("/later", id="later", delay=f"{WAIT_MS}ms")
            await scene.results.until(lambda results: any(r["task_id"] == "later" and r["final"] for r in results))
    assert {row["id"]: row["answer"].partition(";")[0] for row in cancelled.objects} == dict.fromkeys(ids, "cancelled")
    assert cancelled.code == 0
    told = await scene.results.to_end()
    answered = {r["task_id"]: parse_instant(r["at"]) for r in reversed(told) if r["outcome"] == "cancelled"}
    assert answered.keys() == set(ids)
    late = [call for call in scene.receiver.arrivals() if call.at_ms > answered.get(call.id, call.at_ms)]
    assert late == []
    assert {call.id for call in scene.receiver.arrivals()} == {"later", *(f"f-{n}" for n in range(FAILING))}


async def test_call_on_the_wire_ends_first(scene: Scene) -> None:
    """It is let finish and recorded; a 2xx still wins, and after another answer nothing follows."""
    async with scene.ready_worker():
        await scene.request(f"/delay/{CALL_MS}", id="good")
        await scene.request(f"/delay/{CALL_MS}/500", id="bad", retry={"intervals": ["1s"] * 5})
        await until(lambda: len(scene.receiver.arrivals()) == 2)
        await cancel(scene, "good", "bad")
        await scene.results.until(lambda results: sum(r.get("command_id") is not None for r in results) == 2)
        again = await scene.place.run("tasks", "cancel", "bad")
        await scene.request("/later", delay="1s")
        await scene.ends(3)
    results = await scene.results.to_end()
    assert [(r["outcome"], r["final"], r["why"].get("detail")) for r in of_task(results, "good")] == [
        ("success", True, None),
        ("control", False, "task has ended: succeeded"),
    ]
    assert [(r["outcome"], r["final"]) for r in of_task(results, "bad")] == [
        ("server_error", False),
        ("cancelled", True),
    ]
    assert (again.code, again.out) == (1, "bad  not: task has ended: cancelled\n")
    assert [call.path for call in scene.receiver.arrivals()][2:] == ["/later"]


async def cancel(scene: Scene, *task_ids: str) -> None:
    """Append cancels, sooner than a command starts."""
    topics, lane = scene.place.topics, lane_key(scene.url("/"))
    for task_id in task_ids:
        command = Command(f"cmd_{task_id}", Verb.CANCEL, task_id, lane, None, None, "a test", int(time.time() * 1000))
        record = control_record(command, topics.control, topics.partitions, 0)
        await scene.producer.send_and_wait(record.topic, record.value, record.key, partition=record.partition)
