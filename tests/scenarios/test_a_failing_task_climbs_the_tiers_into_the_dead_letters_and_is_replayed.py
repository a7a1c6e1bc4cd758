"""A task that fails waits on the tiers between its attempts, ends as a dead letter, and goes on when it is replayed."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from streamer.adapters.demo.exchange import OK, Answer
from streamer.adapters.log.outbox import LOGGER
from streamer.core.delivery import trace_of
from tests.support.receiver import running_receiver
from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

LATE_S = 0.5


async def test_a_failing_task_climbs_the_tiers_into_the_dead_letters_and_is_replayed(scene: Scene) -> None:
    """Its waits are the intervals, to half a second; the replay is a new generation of the same task.

    One trace, which its producer did not send, names it in every call, result and line of the log, and in the dead letter.
    """
    scene.place.write_settings(log__attempts=True, log__format="json")
    async with running_receiver() as receiver, scene.ready_worker() as worker:
        url = receiver.on("/", Answer(500), Answer(503), Answer(500), OK)
        await scene.requests([{"url": url, "retry": {"intervals": ["1s", "2s"]}}])
        (failed,) = await scene.ends(1)
        (letter,) = await scene.letters.until(len)

        listed = await scene.place.run("dead-letters", "ls", "--json")
        replayed = await scene.place.run("dead-letters", "replay", "--reason", "exhausted", "--yes", "--json")
        (*_, succeeded) = await scene.ends(2)
        again = await scene.place.run("dead-letters", "replay", "--reason", "exhausted", "--yes", "--json")
        calls = await receiver.wait_for(4)

    waits_s = [(later.at_ns - earlier.at_ns) / 1e9 for earlier, later in pairwise(calls[:3])]
    assert 1 <= waits_s[0] < 1 + LATE_S
    assert 2 <= waits_s[1] < 2 + LATE_S
    assert [call.header("X-Streamer-Attempt") for call in calls] == ["1", "2", "3", "1"]
    (task_id,) = {call.header("webhook-id") for call in calls} | {call.header("Idempotency-Key") for call in calls}

    assert (failed["state"], failed["generation"], failed["attempt"]) == ("failed", 1, 3)
    assert (letter.kind, letter.reason, letter.task_id) == ("task", "exhausted", task_id)
    assert letter.result == failed
    assert [row["task_id"] for row in listed.objects] == [task_id]

    assert replayed.code == 0, replayed.err
    assert [row["action"] for row in replayed.objects[:-1]] == ["replayed"]
    assert (succeeded["task_id"], succeeded["state"]) == (task_id, "succeeded")
    assert (succeeded["generation"], succeeded["attempt"]) == (2, 1)
    assert [(row["action"], row["note"]) for row in again.objects[:-1]] == [("skipped", "already replayed")]

    results = await scene.results.to_end()
    told = [(result["generation"], result["outcome"]) for result in results]
    assert told == [(1, "server_error")] * 3 + [(2, "control"), (2, "success")]

    assert letter.delivery is not None
    trace = trace_of(letter.delivery)
    assert {call.header("traceparent") for call in calls} == {trace}
    sent = [dict(result["request"]["headers"]) for result in results if "request" in result]
    assert [headers["traceparent"] for headers in sent] == [trace] * 4
    lines = [json.loads(line) for line in worker.stderr.read_text().splitlines()]
    logged = [line for line in lines if line["logger"] == LOGGER]
    assert [(line["generation"], line["outcome"]) for line in logged] == told
    assert {line["task_id"] for line in logged} == {task_id}
    assert {f"00-{line['trace_id']}-" for line in logged} == {trace[:36]}
    assert [line.get("status") for line in logged] == [500, 503, 500, None, 200]
