"""Waits shorter than the smallest tier are kept to half a second, and outlive the worker."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.broker import RunningKafka
from tests.support.installation import Installation, installed
from tests.support.progress import all_committed
from tests.support.scene import Scene, make_scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

LATE_S = 0.5
WAITS_S = (1, 2, 4, 8, 16)


@pytest.fixture
async def usual_tiers(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """Set the stage with the shortest of the default tiers: most of these waits are shorter than all of them."""
    place = Installation(kafka.bootstrap, topic_prefix, tmp_path, tiers="5s 10s 30s")
    async with installed(place), make_scene(place) as scene:
        yield scene


async def test_short_waits_are_kept(usual_tiers: Scene) -> None:
    """Doubling from 1 s without jitter, each attempt comes after its wait, and at most half a second later."""
    scene = usual_tiers
    async with scene.ready_worker():
        await scene.request("/status/503", retry=backoff(6))
        (end,) = await scene.ends(1, within_s=60)
    waits_s = measured(scene)
    assert [int(wait_s) for wait_s in waits_s] == list(WAITS_S), waits_s
    assert all(wait_s - wanted_s < LATE_S for wait_s, wanted_s in zip(waits_s, WAITS_S, strict=True)), waits_s
    assert (end["state"], end["attempt"]) == ("failed", 6)


async def test_short_waits_outlive_a_killed_worker(usual_tiers: Scene) -> None:
    """Killed in the third wait, which ends before the broker gives the partitions on: late by that alone, never early."""
    scene = usual_tiers
    place = scene.place
    async with scene.ready_worker() as first:
        await scene.request("/status/503", retry=backoff(5))
        await scene.results.until(lambda results: len(results) == 3)
        # Between a result and its state a kill may repeat the attempt; that is another story.
        await all_committed(
            place.bootstrap, place.partitions, {f"{place.group}-deliver": [place.topics.deliveries, place.topics.due]}
        )
        first.kill()
        async with scene.ready_worker():
            ready_ns = time.monotonic_ns()
            await scene.ends(1, within_s=60)
    calls = scene.receiver.arrivals()
    waits_s = measured(scene)
    assert [call.attempt for call in calls] == [1, 2, 3, 4, 5]
    assert all(wait_s >= wanted_s for wait_s, wanted_s in zip(waits_s, WAITS_S, strict=False)), waits_s
    could_go_ns = max(ready_ns, calls[2].at_ns + WAITS_S[2] * 10**9)
    assert calls[3].at_ns - could_go_ns < LATE_S * 1e9
    assert all(waits_s[n] - WAITS_S[n] < LATE_S for n in (0, 1, 3)), waits_s


def backoff(attempts: int) -> dict[str, object]:
    """Return a policy that doubles from 1 s, without jitter."""
    return {"backoff": {"initial": "1s", "multiplier": 2, "max": "1m", "jitter": 0}, "max_attempts": attempts}


def measured(scene: Scene) -> list[float]:
    """Return the time between neighbouring calls, in seconds."""
    return [(later.at_ns - earlier.at_ns) / 1e9 for earlier, later in pairwise(scene.receiver.arrivals())]
