"""A policy is set while a worker runs, and holds for the requests that ask for it by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

#: A worker has a second to read what was set; each refusal takes a part of it.
_TRIES = 500


async def test_a_named_policy_fills_in_what_a_request_leaves_out(scene: Scene) -> None:
    """Set without a restart, it makes a 404 a success; until the worker knows it, who asks for it is told so."""
    async with scene.ready_worker():
        assert (await scene.place.run("policies", "set", "gone-is-fine", "--success-codes", "2xx,404")).code == 0
        end: dict[str, Any] = {}
        for number in range(1, _TRIES):
            await scene.request("/status/404", policy="gone-is-fine")
            end = (await scene.ends(number))[-1]
            if end["outcome"] != "rejected":
                break
            assert end["why"]["detail"] == 'policy: policy "gone-is-fine" is not known; none is set'
    assert (end["outcome"], end["state"], end["status"], end["attempt"]) == ("success", "succeeded", 404, 1)
