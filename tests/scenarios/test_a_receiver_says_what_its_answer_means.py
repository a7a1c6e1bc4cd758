"""What stands in an answer's header and body decides what becomes of a task, beside its status."""

from __future__ import annotations

import pytest

from tests.support.scene import Scene, at

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

RULES = [
    {"then": "stop", "json": "/code", "is": ["no such account"]},
    {"then": "retry", "json": "/code", "is": ["busy"]},
    {"then": "success", "codes": [409], "json": "/code", "is": ["already"]},
]
#: Path → state, reason and rule of the task's end.
ENDS = {
    "/action/503/stop": ("failed", "stopped_by_receiver", "receiver.stop"),
    "/action/200/stop": ("succeeded", "delivered", "success.2xx"),
    "/action/200/retry-after=1": ("failed", "exhausted", "receiver.retry"),
    "/says/200/busy": ("failed", "exhausted", "answer.2"),
    "/says/409/already": ("succeeded", "delivered", "answer.3"),
    "/says/409/else": ("failed", "client_error", "default.4xx"),
    "/says/200/fine": ("succeeded", "delivered", "success.2xx"),
}


async def test_a_receiver_says_what_its_answer_means(scene: Scene) -> None:
    """A word ends the retries or asks for another; rules of its domain read the body, and each result names what decided."""
    await scene.configure(f"domain:{scene.lane}", {"answer": RULES})
    async with scene.ready_worker():
        retry = {"retry": {"intervals": ["200ms"]}}
        places = {path: await scene.request(path, **retry) for path in ENDS}
        ends = await scene.ends(len(ENDS))

    for path, place in places.items():
        end = next(end for end in ends if at(end, place))
        assert (end["state"], end["why"]["reason"], end["why"]["rule"]) == ENDS[path]
    calls = [arrival.path for arrival in scene.receiver.arrivals()]
    tried_twice = {path for path in ENDS if calls.count(path) == 2}
    assert tried_twice == {"/action/200/retry-after=1", "/says/200/busy"}
    waited = [r for r in scene.results.items if r["why"]["rule"] == "receiver.retry" and not r["final"]]
    assert [r["why"]["reason"] for r in waited] == ["retry"]
