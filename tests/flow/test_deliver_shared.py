"""Rates that hold across domains: reserved before the queue, slots brought back, and what becomes of them (RULES 24)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from streamer.core.delivery import Delivery, Why
from streamer.core.lifecycle import State
from streamer.core.policy import Policy, SharedLimit
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import Tuning
from streamer.core.rate import parse_rate
from streamer.flow.deliver import DeliverLimits
from tests.core.samples import NOW_MS
from tests.flow.desk import Desk, a_desk, task
from tests.flow.tiers import Tiers


def at(rate: str) -> Policy:
    return Policy(rate=parse_rate(rate), burst=1)


def spread(count: int, **changed: Any) -> list[Delivery]:
    """Return tasks for as many domains, all under one rate key."""
    named = [(f"tsk_{number:03d}", f"d{number}.example") for number in range(count)]
    return [task(name, **{"lane": lane, "rate_key": "shared", **changed}) for name, lane in named]


def begun_ms(desk: Desk) -> list[int]:
    return [sent.at_ms - NOW_MS for sent in desk.sender.sent]


class Counting:
    """Counts reservations on their way to the limits behind it."""

    def __init__(self, desk: Desk) -> None:
        self._shared = desk.shared
        self.reserved = 0

    async def reserve(self, limits: Sequence[SharedLimit], now_ms: int, horizon_ms: int) -> int | None:
        slot_ms = await self._shared.reserve(limits, now_ms, horizon_ms)
        self.reserved += slot_ms is not None
        return slot_ms


@pytest.fixture
def shared(desk: Desk) -> Desk:
    """A desk with a rate key of ten a second."""
    desk.policies = PolicyBook(rate_keys={"shared": at("10/s")})
    return desk


async def test_a_rate_key_holds_across_domains_with_one_deferral_for_each_task(shared: Desk) -> None:
    """The deferral moves the shared clock and brings its slot back: nobody asks twice."""
    await shared.give(*spread(30))
    assert [emit.delivery.slot_ms for emit in shared.held] == [NOW_MS + 100 * place for place in range(2, 30)]
    await Tiers(shared).run(4_000)
    assert shared.meter.counted("deferrals", "shared_limit") == 28
    assert all(0 <= at_ms - 100 * place <= 60 for place, at_ms in enumerate(begun_ms(shared)))
    assert len(begun_ms(shared)) == 30


async def test_a_deferral_for_a_shared_limit_says_so(shared: Desk) -> None:
    """The reason and the slot's time are told on results, and no attempt is used."""
    await shared.give(*spread(3))
    [result] = [one for one in shared.results if one.because.reason == Why.SHARED_LIMIT]
    assert (result.state, result.attempt, result.because.due_at_ms) == (State.SCHEDULED, 1, NOW_MS + 200)


async def test_a_businesss_rate_is_a_shared_limit_too(desk: Desk) -> None:
    """A quota of a business over all its domains; another business is not held up."""
    desk.policies = PolicyBook(businesses={"small": at("1/s")})
    await desk.give(*spread(3, business="small", rate_key=None), task("other"))
    assert len(desk.sent) == 2
    await Tiers(desk).run(3_000)
    assert len(desk.sent) == 4


async def test_of_two_limits_the_slower_decides(desk: Desk) -> None:
    """A task under a business's quota and a rate key waits for a slot of both."""
    desk.policies = PolicyBook(businesses={"acme": at("1/s")}, rate_keys={"shared": at("10/s")})
    await desk.give(*spread(4))
    await Tiers(desk).run(5_000)
    assert [round(at_ms, -3) for at_ms in begun_ms(desk)] == [0, 1_000, 2_000, 3_000]


async def test_of_two_limits_no_slot_far_ahead_is_taken(desk: Desk) -> None:
    """It would hold up the roomier limit for everybody else: those whose turn is far off ask again, ever more seldom."""
    desk.policies = PolicyBook(businesses={"acme": at("1/s")}, rate_keys={"shared": at("10/s")})
    await desk.give(*spread(20))
    far = [emit.delivery for emit in desk.held if emit.delivery.slot_ms is None]
    assert len(far) == 20 - 6
    assert {(one.why, one.waits) for one in far} == {(Why.SHARED_LIMIT, 1)}
    await desk.give(task("other", rate_key="shared", business="other"))
    assert desk.held[-1].delivery.due_at_ms <= NOW_MS + 5_200, "the rate key is not taken for long"
    await Tiers(desk).run(300_000)
    assert len(desk.sent) == 21


async def test_a_lease_that_is_lost_before_a_near_slot_means_no_call(shared: Desk) -> None:
    """RULES 4: what waits in hand for its slot is the next owner's."""
    await shared.give(*spread(2))
    shared.lease.lose()
    await shared.clock.advance(1_000)
    assert (len(shared.sent), shared.unfinished) == (1, 2 - 1)


async def test_a_slot_that_was_taken_is_not_taken_again_when_the_lane_puts_the_task_off(shared: Desk) -> None:
    """A lane that is slower than the shared rate must not use that up with tasks that it sends away."""
    slow = Policy(rate=parse_rate("1/s"), burst=1)
    shared.policies = PolicyBook(
        domains={"slow.example": slow}, rate_keys={"shared": Policy(rate=parse_rate("100/s"), burst=50)}
    )
    counting = Counting(shared)
    shared.deliver._admission._shared = counting
    await shared.give(*spread(20, lane="slow.example"))
    assert len(shared.held) == 15
    await Tiers(shared).run(30_000)
    assert (len(shared.sent), counting.reserved) == (20, 20)


async def test_a_retry_takes_a_slot_of_its_own(shared: Desk) -> None:
    """A slot is for one call: the next attempt is another one."""
    shared.policies = PolicyBook(rate_keys={"shared": at("1/s")})
    shared.answer(500, 200)
    counting = Counting(shared)
    shared.deliver._admission._shared = counting
    await shared.give(task("tsk_1", rate_key="shared", retry_ms=(1_000,)))
    await Tiers(shared).run(5_000)
    assert (shared.sent, counting.reserved) == ([("tsk_1", 1), ("tsk_1", 2)], 2)


async def test_beyond_the_horizon_nothing_is_taken_and_it_is_asked_again() -> None:
    """RULES 9: in the horizon's second half."""
    limits = DeliverLimits(tuning=Tuning(horizon_ms=10_000))
    async with a_desk(limits, PolicyBook(rate_keys={"shared": at("1/s")})) as desk:
        await desk.give(*spread(20))
        asked_again = [emit.delivery for emit in desk.held if emit.delivery.slot_ms is None]
        assert len(asked_again) == 20 - 11
        assert all(5_000 <= one.due_at_ms - NOW_MS <= 10_000 for one in asked_again)
        await Tiers(desk).run(40_000)
        assert len(desk.sent) == 20
        gaps = [later - sooner for sooner, later in zip(begun_ms(desk), begun_ms(desk)[1:], strict=False)]
        assert min(gaps) >= 900


async def test_limits_that_cannot_be_asked_are_a_fault_and_no_end(shared: Desk) -> None:
    """RULES 14: an error on the way to the shared limits defers the task, and its offset is finished."""

    class Away:
        async def reserve(self, limits: Sequence[SharedLimit], now_ms: int, horizon_ms: int) -> int | None:
            raise OSError("not there")

    shared.deliver._admission._shared = Away()
    await shared.give(*spread(1))
    assert (shared.meter.counted("faults"), shared.unfinished) == (1, 0)
    [held] = shared.held
    assert (held.delivery.why, held.delivery.attempt) == (Why.FAULT, 1)
