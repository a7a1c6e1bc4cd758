"""A domain's limits are set while a worker runs, and hold: its rate, its pause, what its receiver asks for, its breaker."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tests.support.arrival_log import LoggedArrival
from tests.support.scene import Scene, at
from tests.support.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

RATE, BURST = 5, 2
#: A receiver's process may take so long to note an arrival.
JITTER_MS = 60


async def test_a_domain_is_limited_without_restart(scene: Scene) -> None:
    """A rate set while the worker runs holds from within a second; what does not fit waits, and uses up no attempt."""
    async with scene.ready_worker():
        await scene.request("/before")
        await scene.ends(1)
        await scene.configure(f"domain:{scene.lane}", {"rate": f"{RATE}/s", "burst": BURST})
        await passed(1_000)
        await scene.requests([{"url": scene.url(f"/{number}")} for number in range(40)])
        ends = await scene.ends(41, 40)
    arrivals = scene.receiver.arrivals()[1:]
    assert most_beyond(arrivals) <= 0
    span_s = (arrivals[-1].at_ms - arrivals[0].at_ms) / 1000
    assert (40 - BURST) / RATE * 0.99 < span_s < 40 / RATE * 1.5
    assert {end["attempt"] for end in ends} == {1}


async def test_a_paused_domain_sends_nothing_until_it_is_resumed(scene: Scene) -> None:
    """RULES 40: the pause stood on `config` before the worker came; the wait says why, and ends with the pause."""
    await scene.configure(f"domain:{scene.lane}", {"paused": True})
    async with scene.ready_worker():
        record = await scene.request("/paused")
        (deferred,) = await scene.results.until(len)
        assert (deferred["outcome"], deferred["why"]["reason"]) == ("deferred", "paused")
        await passed(1_000)
        assert scene.receiver.arrivals() == []
        await scene.configure(f"domain:{scene.lane}", None)
        (end,) = await scene.ends(1)
    assert (end["state"], end["attempt"], end["origin"]["offset"]) == ("succeeded", 1, record.offset)


async def test_retry_after_pauses_the_whole_lane(scene: Scene) -> None:
    """One 429 with Retry-After holds back the domain's other tasks too."""
    async with scene.ready_worker():
        await scene.request("/pause/429/2")
        await scene.arrivals(1)
        await scene.results.until(lambda results: [r for r in results if r["outcome"] == "rate_limited"])
        await scene.requests([{"url": scene.url(f"/{number}")} for number in range(3)])
        await scene.ends(3)
        asked, *others = scene.receiver.arrivals()
    assert all(other.at_ms - asked.at_ms >= 2_000 - JITTER_MS for other in others)


async def test_an_open_breaker_stays_open_over_a_kill(scene: Scene) -> None:
    """Five failures open it; the next owner of its partition asks the target no sooner than the last one would have."""
    await scene.configure(f"domain:{scene.lane}", {"breaker": {"open": "12s"}})
    retry = {"intervals": ["1h"]}
    async with scene.ready_worker("first") as first:
        await scene.requests([{"url": scene.url("/status/500"), "retry": retry} for _ in range(5)])
        failed = await scene.arrivals(5)
        await scene.results.until(lambda results: sum(r["outcome"] == "server_error" for r in results) == 5)
        # What is kept of a lane is written within a quarter of a second.
        await passed(500)
        first.kill()
    async with scene.ready_worker("second"):
        record = await scene.request("/alive")
        (end,) = await scene.ends(1, 40)
    assert at(end, record)
    (alive,) = [arrival for arrival in scene.receiver.arrivals() if arrival.path == "/alive"]
    assert alive.at_ms - failed[-1].at_ms >= 12_000 - JITTER_MS
    assert end["attempt"] == 1


async def passed(span_ms: int) -> None:
    """Return when so much time has passed: what is promised within a second is looked at then."""
    begun_ms = time.monotonic() * 1000
    await until(lambda: time.monotonic() * 1000 - begun_ms >= span_ms)


def most_beyond(arrivals: list[LoggedArrival]) -> float:
    """Return by how many calls the fullest window is beyond rate and burst; JITTER_MS of a window is forgiven."""
    worst, debt, before = 0.0, 0.0, arrivals[0].at_ms
    for arrival in arrivals:
        debt = max(0.0, debt - (arrival.at_ms - before) / 1000 * RATE) + 1
        before = arrival.at_ms
        worst = max(worst, debt)
    assert all(later.at_ms >= first.at_ms for first, later in pairwise(arrivals))
    return worst - BURST - JITTER_MS / 1000 * RATE
