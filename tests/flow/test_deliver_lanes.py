"""Who is on the wire at once: caps per domain and over all, and what happens to those who wait."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from streamer.adapters.memory.sender import Reply
from streamer.core.lifecycle import State
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.flow.deliver import DeliverLimits
from tests.core.samples import NOW_MS
from tests.flow.desk import Desk, broken, task


@pytest.fixture
async def narrow() -> AsyncIterator[Desk]:
    """A desk with room for two calls to a domain and three in all, whose receiver takes a second."""
    desk = Desk(DeliverLimits(in_flight=3), PolicyBook(settings=Policy(concurrency=2)))
    desk.respond = lambda _: Reply(delay_ms=1_000)
    yield desk
    await desk.stop()


async def test_no_more_than_the_domains_cap_is_on_the_wire(narrow: Desk) -> None:
    """A domain's third call waits until one of its two is over, first come first served."""
    await narrow.give(*[task(f"tsk_{number}") for number in range(5)])
    assert narrow.sender.in_flight == 2
    await narrow.clock.advance(1_000)
    assert narrow.sender.in_flight == 2
    await narrow.clock.advance(2_000)
    assert [sent.delivery.task_id for sent in narrow.sender.sent] == [f"tsk_{number}" for number in range(5)]
    assert [sent.at_ms - NOW_MS for sent in narrow.sender.sent] == [0, 0, 1_000, 1_000, 2_000]
    assert narrow.unfinished == 0


async def test_no_more_than_the_common_cap_is_on_the_wire_and_lanes_take_turns(narrow: Desk) -> None:
    """With every place taken, the lanes that wait get a place each in turn."""
    await narrow.give(*[task(f"a{number}", lane="a") for number in range(4)])
    await narrow.give(*[task(f"b{number}", lane="b") for number in range(3)], task("c0", lane="c"))
    assert narrow.sender.in_flight == 3
    await narrow.clock.advance(1_000)
    assert narrow.sender.in_flight == 3
    assert {sent.delivery.lane for sent in narrow.sender.sent[3:]} == {"a", "b", "c"}
    await narrow.clock.advance(5_000)
    assert (len(narrow.sender.sent), narrow.unfinished) == (8, 0)


async def test_task_that_expires_in_the_queue_is_not_sent_and_its_place_goes_on(narrow: Desk) -> None:
    """The time a task has is looked at again when its turn comes."""
    await narrow.give(task("first"), task("second"))
    await narrow.give(task("late", expires_at_ms=NOW_MS + 500), task("next"))
    await narrow.clock.advance(1_000)
    assert narrow.entry("late").state is State.EXPIRED
    assert [sent.delivery.task_id for sent in narrow.sender.sent] == ["first", "second", "next"]


async def test_fault_on_the_way_to_the_wire_gives_its_place_back(narrow: Desk) -> None:
    """A bug of ours on one delivery does not eat the lane's room."""
    narrow.respond = broken
    await narrow.give(*[task(f"tsk_{number}") for number in range(10)])
    assert (narrow.unfinished, len(narrow.held)) == (0, 10)
    narrow.respond = lambda _: Reply()
    await narrow.give(task("good"))
    assert narrow.entry("good").state is State.SUCCEEDED
