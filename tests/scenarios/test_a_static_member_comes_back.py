"""A worker with an instance id that dies takes its place again at once, in each of its groups."""

from __future__ import annotations

import pytest

from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

#: Twice as long as any test waits: who is ready did not wait for its end.
SESSION_S = 60


async def test_a_static_member_comes_back(scene: Scene) -> None:
    """Killed and started again within its session it is ready, and delivers, long before the session would have ended."""
    scene.place.write_settings(kafka__session_timeout_s=SESSION_S)
    instance = ("--instance-id", "member-0")
    async with scene.ready_worker("first", *instance) as first:
        await scene.requests([{"url": scene.receiver.url}])
        await scene.ends(1)
        first.kill()
    async with scene.ready_worker("first", *instance) as again:
        await scene.requests([{"url": scene.receiver.url}])
        ends = await scene.ends(2)
        again.terminate()
        assert await again.ended() == 0
    assert [end["state"] for end in ends] == ["succeeded", "succeeded"]
