"""Any Kafka client appends a record; the call arrives, and its result says so."""

from __future__ import annotations

import pytest

from tests.support.receiver import running_receiver
from tests.support.scene import Scene, at

pytestmark = [pytest.mark.broker, pytest.mark.scenario]


async def test_a_record_is_delivered(scene: Scene) -> None:
    """The call has the record's method, headers and body, and the headers of ours; its one result is final."""
    request = {"method": "PUT", "headers": {"X-Own": "kept"}, "json": {"n": 1}, "metadata": {"tag": "x"}}
    async with running_receiver() as receiver, scene.ready_worker():
        (record,) = await scene.requests([{"url": receiver.on("/hooks?a=b"), **request}])
        (call,) = await receiver.wait_for(1)
        (end,) = await scene.ends(1)
    assert (call.method, call.path, call.body) == ("PUT", "/hooks?a=b", b'{"n":1}')
    assert call.header("X-Own") == "kept"
    assert call.header("Content-Type") == "application/json"
    assert call.header("webhook-id") == call.header("Idempotency-Key") == end["task_id"]
    assert call.header("X-Streamer-Attempt") == "1"
    assert at(end, record)
    assert (end["outcome"], end["state"], end["attempt"], end["status"]) == ("success", "succeeded", 1, 200)
    assert end["metadata"] == {"tag": "x"}
    assert await scene.results.to_end() == [end]
    assert await scene.letters.to_end() == []
