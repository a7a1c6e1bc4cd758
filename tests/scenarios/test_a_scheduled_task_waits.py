"""A task may wait until its time, expire while it waits, or be cancelled while it waits."""

from __future__ import annotations

import time

import pytest

from streamer.core.command import Command, Verb
from streamer.core.lane_key import lane_key
from streamer.core.partitioning import partition_of
from streamer.wire.command_record import encode_command
from streamer.wire.instants import format_instant
from tests.support.scene import Scene, at, of_task

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

WAIT_MS, LATE_MS = 2_500, 500


async def test_a_scheduled_task_waits(scene: Scene) -> None:
    """With a delay and with an instant it is sent then, not before, and told as scheduled until then."""
    async with scene.ready_worker():
        send_at_ms = now_ms() + WAIT_MS
        delayed = await scene.request("/delayed", delay=f"{WAIT_MS}ms")
        timed = await scene.request("/timed", send_at=format_instant(send_at_ms))
        results = await scene.results.until(lambda results: sum(r["final"] for r in results) == 2)
        arrivals = {arrival.path: arrival for arrival in await scene.arrivals(2)}
    assert 0 <= arrivals["/delayed"].at_ms - (delayed.timestamp + WAIT_MS) < LATE_MS
    assert 0 <= arrivals["/timed"].at_ms - send_at_ms < LATE_MS
    for record in (delayed, timed):
        told = [(r["outcome"], r["state"]) for r in results if at(r, record)]
        assert told == [("deferred", "scheduled"), ("success", "succeeded")]


async def test_a_task_that_expires_while_it_waits_is_not_sent(scene: Scene) -> None:
    """Its time runs out on a tier; it ends as expired, in the dead letters, without a call."""
    async with scene.ready_worker() as worker:
        await scene.request(delay=f"{WAIT_MS}ms", expires_at=format_instant(now_ms() + WAIT_MS // 2))
        (end,) = await scene.ends(1)
        (letter,) = await scene.letters.until(len)
        worker.terminate()
        assert await worker.ended() == 0
    assert (end["outcome"], end["state"]) == ("expired", "expired")
    assert (letter.task_id, letter.reason) == (end["task_id"], "expired")
    assert scene.receiver.arrivals() == []


async def test_a_task_that_is_cancelled_while_it_waits_is_not_sent(scene: Scene) -> None:
    """The cancel is its end; what comes from the tier afterwards is dropped, beside a task that is sent then."""
    url = scene.url("/cancelled")
    async with scene.ready_worker() as worker:
        await scene.request("/cancelled", id="order-1", delay=f"{WAIT_MS}ms")
        await scene.results.until(lambda results: [r for r in results if r["outcome"] == "deferred"])
        await cancel(scene, "order-1", lane_key(url))
        (end,) = await scene.ends(1)
        # Due later in the same lane, so that the cancelled one has come from its tier when this one is called.
        await scene.request("/later", delay=f"{WAIT_MS}ms")
        await scene.ends(2)
        worker.terminate()
        assert await worker.ended() == 0
    assert (end["task_id"], end["outcome"], end["state"]) == ("order-1", "cancelled", "cancelled")
    assert [r["outcome"] for r in of_task(await scene.results.to_end(), "order-1")] == ["deferred", "cancelled"]
    assert [arrival.path for arrival in scene.receiver.arrivals()] == ["/later"]


async def cancel(scene: Scene, task_id: str, lane: str) -> None:
    """Append the command that cancels a task."""
    command = Command("cmd_1", Verb.CANCEL, task_id, lane, None, None, "a test", now_ms())
    topics = scene.place.topics
    partition = partition_of(lane, topics.partitions)
    await scene.producer.send_and_wait(topics.control, encode_command(command), lane.encode(), partition=partition)


def now_ms() -> int:
    """Return the wall clock in epoch ms."""
    return time.time_ns() // 1_000_000
