"""A worker that is stopped past its session and goes on after its partitions have moved sends, writes and commits nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from streamer.adapters.demo.exchange import Answer
from tests.support.offset_watch import watched_offsets
from tests.support.receiver import running_receiver
from tests.support.scene import Result, Scene
from tests.support.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

#: Twenty are on the wire, the default for one domain; the others wait in the stopped worker's memory.
TASKS, ON_THE_WIRE = 60, 20
#: Answered while the worker is stopped, so that it goes on with answers in its hands.
ANSWER_S = 2.0
AFTERWARDS = 8


async def test_a_stopped_worker_wins_nothing(scene: Scene) -> None:
    """Only what was on the wire at the stop is sent twice; each task has one end, which the new owner wrote."""
    place = scene.place
    groups = [f"{place.group}-{stage}" for stage in ("intake", "deliver", "hold")]
    async with running_receiver() as receiver, scene.ready_worker("first") as first:
        url = receiver.on("/", *[Answer(delay_s=ANSWER_S)] * ON_THE_WIRE, Answer())
        await scene.requests([{"url": url}] * TASKS)
        stopped_with = list(await receiver.wait_for(ON_THE_WIRE))
        first.stop()
        async with watched_offsets(place.bootstrap, groups) as watch:
            async with scene.ready_worker("second") as second:
                ends = list(await scene.ends(TASKS))
                calls_before = len(receiver.arrivals)
                first.go_on()
                await until(lambda: "the lease is lost" in first.stderr.read_text(), 20)
                second.terminate()
                assert await second.ended() == 0
            # The stopped one is a worker like any other again, and alone.
            await scene.requests([{"url": url}] * AFTERWARDS)
            (*_, last) = await scene.ends(TASKS + AFTERWARDS)
            first.terminate()
            assert await first.ended() == 0

    assert len(stopped_with) == ON_THE_WIRE
    assert calls_before == TASKS + ON_THE_WIRE
    assert len(receiver.arrivals) == calls_before + AFTERWARDS
    twice = {
        task for task, count in Counter(call.header("webhook-id") for call in receiver.arrivals).items() if count > 1
    }
    assert twice == {call.header("webhook-id") for call in stopped_with}
    finals = [result for result in await scene.results.to_end() if result["final"]]
    assert Counter(result["task_id"] for result in finals).most_common(1)[0][1] == 1
    assert len(finals) == TASKS + AFTERWARDS
    assert {caller(end) for end in ends} == {"worker-second"}
    assert caller(last) == "worker-first"
    assert watch.regressions == []
    assert watch.samples > 3 * len(groups), "nobody has watched the offsets"


def caller(result: Result) -> str:
    """Return who made the call that a result tells of."""
    return str(dict(result["request"]["headers"])["User-Agent"])
