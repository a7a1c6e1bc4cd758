"""A second worker takes over part of the partitions, and gives them back when it ends."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from streamer.core.lane_key import lane_key
from streamer.core.partitioning import partition_of
from tests.support.domains import many_domains
from tests.support.scene import Result, Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

PER_DOMAIN = 3
#: Their ports are by chance, and so is each one's partition: of 24, one run in 250 leaves a partition without any.
DOMAINS = 48


async def test_two_workers_share_the_partitions(scene: Scene) -> None:
    """Both call, each domain is one worker's alone, nothing is sent twice; the one that stays serves all domains again."""
    topics = scene.place.topics
    async with many_domains(DOMAINS, scene.place.directory / "domains.jsonl") as domains:
        requests = [{"url": url} for url in domains.urls] * PER_DOMAIN
        assert {partition_of(lane_key(url), topics.partitions) for url in domains.urls} == set(range(topics.partitions))
        async with scene.ready_worker("first") as first:
            async with scene.ready_worker("second") as second:
                await scene.requests(requests)
                shared = list(await scene.ends(len(requests)))
                second.terminate()
                assert await second.ended() == 0
            await scene.requests(requests)
            alone = (await scene.ends(2 * len(requests)))[len(shared) :]
            first.terminate()
            assert await first.ended() == 0

    callers = callers_by_partition(shared, topics.partitions)
    assert {len(each) for each in callers.values()} == {1}
    assert Counter(next(iter(each)) for each in callers.values()) == {"worker-first": 2, "worker-second": 2}
    assert set().union(*callers_by_partition(alone, topics.partitions).values()) == {"worker-first"}
    assert {result["state"] for result in (*shared, *alone)} == {"succeeded"}
    assert set(Counter(arrival.id for arrival in domains.arrivals()).values()) == {1}


def callers_by_partition(results: list[Result], partitions: int) -> dict[int, set[str]]:
    """Return which workers made the calls of each partition."""
    callers: dict[int, set[str]] = defaultdict(set)
    for result in results:
        headers = dict(result["request"]["headers"])
        callers[partition_of(result["lane"], partitions)].add(headers["User-Agent"])
    return callers
