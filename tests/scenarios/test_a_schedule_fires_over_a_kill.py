"""A recurring schedule fires every second, also over a worker that is killed: no instant is missed, none makes two tasks."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from streamer.core.identity import firing_id
from tests.support.arrival_log import LoggedArrival
from tests.support.scene import Scene
from tests.support.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

LATE_MS = 500
SECOND_MS = 1_000


async def test_a_schedule_fires_over_a_kill(scene: Scene) -> None:
    """The next worker fires what came due in between, then goes on in time; only what was in flight is called again."""
    record = {"every": "1s", "overlap": "allow", "request": {"url": scene.url("/ok"), "metadata": {"of": "the story"}}}
    written = await scene.producer.send_and_wait(
        scene.place.topics.config, json.dumps(record).encode(), b"schedule:tick"
    )
    first_ms = written.timestamp // SECOND_MS * SECOND_MS + SECOND_MS
    instants = {firing_id("tick", at_ms): at_ms for at_ms in range(first_ms, first_ms + 300_000, SECOND_MS)}
    async with scene.ready_worker() as first:
        await until(lambda: len({call.id for call in scene.receiver.arrivals()}) >= 4, 20)
        first.kill()
        killed_ms = time.time_ns() // 1_000_000
    async with scene.ready_worker():
        ready_ms = time.time_ns() // 1_000_000
        await until(lambda: latest(scene.receiver.arrivals(), instants) >= ready_ms + 3 * SECOND_MS, 20)
    calls = scene.receiver.arrivals()
    called = sorted({instants[call.id] for call in calls})
    assert called == list(range(first_ms, called[-1] + 1, SECOND_MS))
    assert min(call.at_ms - instants[call.id] for call in calls) >= 0
    in_time = [call.at_ms - instants[call.id] for call in calls if instants[call.id] > ready_ms]
    assert max(in_time) < LATE_MS
    counts = Counter(call.id for call in calls)
    # A call whose end was not written down yet when the worker died is made again, under the same id.
    twice = {call.id: killed_ms - call.at_ms for call in reversed(calls) if counts[call.id] > 1}
    assert all(0 <= before_ms < SECOND_MS for before_ms in twice.values()), twice
    ends = await scene.ends(len(called))
    metadata = {end["task_id"]: end["metadata"] for end in ends if end["state"] == "succeeded"}
    assert {entry["schedule"] for entry in metadata.values()} == {"tick"}
    assert {entry["of"] for entry in metadata.values()} == {"the story"}


def latest(calls: list[LoggedArrival], instants: dict[str, int]) -> int:
    """Return the last instant that was called."""
    return max((instants[call.id] for call in calls), default=0)
