"""A producer that sends the same request again, under the same id, gets one call and an answer."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.scene import Scene, of_task

pytestmark = [pytest.mark.broker, pytest.mark.scenario]


async def test_a_duplicate_record_makes_one_call(scene: Scene) -> None:
    """Each id and each business id is called once; each repeat is answered as a duplicate and ends nothing."""
    url = scene.url("/")
    named = {"url": url, "id": "order-1", "body": "a"}
    of_business = {"url": url, "business": "acme", "business_id": "invoice/7", "body": "b"}
    of_other = {**of_business, "business": "globex"}
    async with scene.ready_worker() as worker:
        await scene.requests([named, of_business, named, of_other, of_business])
        results = await scene.results.until(lambda results: len(results) >= 5)
        # Also a repeat that comes when its task has long ended is one.
        await scene.requests([named])
        results = await scene.results.until(lambda results: len(results) >= 6)
        worker.terminate()
        assert await worker.ended() == 0

    assert await scene.results.to_end() == results
    assert Counter(result["outcome"] for result in results) == {"success": 3, "duplicate": 3}
    assert sorted(r["outcome"] for r in of_task(results, "order-1")) == ["duplicate", "duplicate", "success"]
    duplicates = [result for result in results if result["outcome"] == "duplicate"]
    assert {(result["final"], result["why"]["detail"]) for result in duplicates} == {
        (False, "the id was used first by the same request")
    }
    calls = Counter(arrival.id for arrival in scene.receiver.arrivals())
    assert calls == {result["task_id"]: 1 for result in results if result["final"]}
