"""A business id belongs to the request that used it first, also when the second one goes to another domain."""

from __future__ import annotations

import pytest

from tests.support.scene import Scene, at

pytestmark = [pytest.mark.broker, pytest.mark.scenario]


async def test_the_same_business_id_with_another_domain(scene: Scene) -> None:
    """One call to the first domain; the second record is answered as a duplicate of another request."""
    first_url = scene.url("/first")
    other_url = first_url.replace("127.0.0.1", "localhost").replace("/first", "/second")
    async with scene.ready_worker() as worker:
        named = {"business": "acme", "business_id": "order-9"}
        first, second = await scene.requests([{"url": url, **named} for url in (first_url, other_url)], key=b"acme")
        results = await scene.results.until(lambda results: len(results) >= 2)
        worker.terminate()
        assert await worker.ended() == 0

    assert await scene.results.to_end() == results
    duplicate, success = sorted(results, key=lambda result: str(result["outcome"]))
    assert (success["outcome"], success["final"], at(success, first)) == ("success", True, True)
    assert (duplicate["outcome"], duplicate["final"], at(duplicate, second)) == ("duplicate", False, True)
    assert duplicate["why"]["detail"] == "the id was used first by another request"
    assert success["lane"] != duplicate["lane"]
    assert success["task_id"] == duplicate["task_id"]
    assert [arrival.path for arrival in scene.receiver.arrivals()] == ["/first"]
