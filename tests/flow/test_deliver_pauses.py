"""What makes a whole lane wait: a receiver's Retry-After, a 429, a dead target, an operator; and how it goes on."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.adapters.memory.sender import Reply
from streamer.core.breaker import BreakerState
from streamer.core.delivery import Delivery, Why
from streamer.core.lane import Lane
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.policy import FOREVER_MS, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import parse_rate
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task
from tests.flow.tiers import Tiers

DOMAIN = "receiver.example"
ONE_AT_ONCE = PolicyBook(domains={DOMAIN: Policy(concurrency=1)})


def tasks(count: int, **changed: Any) -> list[Delivery]:
    return [task(f"tsk_{number:02d}", **changed) for number in range(count)]


def begun_ms(desk: Desk, domain: str = DOMAIN) -> list[int]:
    """Return when each call to a domain reached it, from the beginning."""
    return [sent.at_ms - NOW_MS for sent in desk.sender.sent if sent.delivery.lane == domain]


def asks_to_wait(status: int, retry_after: str) -> Reply:
    return Reply(Response(status, (("Retry-After", retry_after),)))


def the_lane(desk: Desk) -> Lane[Any]:
    """Return the lane of the domain that tasks are for."""
    return next(lane for lane in desk.deliver.gate.lanes if lane.key == DOMAIN)


def dead(_: Delivery) -> Reply:
    return Reply(Failure(ErrorType.READ_TIMEOUT, "late"))


@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_pauses_the_whole_lane(desk: Desk, status: int) -> None:
    """Not only the task: others of the domain wait too, those of other domains do not."""
    desk.policies = ONE_AT_ONCE
    tiers = Tiers(desk)
    desk.sender.script(DOMAIN, asks_to_wait(status, "30"), Reply())
    await desk.give(*tasks(5, retry_ms=(1_000,)), task("other", lane="other.example", url="https://other.example/"))
    await tiers.run(29_999)
    assert (begun_ms(desk), begun_ms(desk, "other.example")) == ([0], [0])
    await tiers.run(20_000)
    assert len(begun_ms(desk)) == 6
    assert begun_ms(desk)[1] >= 30_000
    assert {desk.entry(one.task_id).state for one in tasks(5)} == {State.SUCCEEDED}


@pytest.mark.parametrize(("retry_ms", "due_ms"), [(1_000, 30_000), (MINUTE_MS, MINUTE_MS)])
async def test_the_retry_of_the_task_itself_is_not_due_before_the_pause_is_over(
    desk: Desk, retry_ms: int, due_ms: int
) -> None:
    """Its own interval gives way where it is shorter, and stays where it is longer."""
    desk.sender.script(DOMAIN, asks_to_wait(429, "30"))
    await desk.give(task(retry_ms=(retry_ms,)))
    assert desk.held[-1].delivery.due_at_ms == NOW_MS + due_ms


async def test_a_retry_after_beyond_the_cap_is_cut_to_it(desk: Desk) -> None:
    """A receiver does not stop its domain for a year."""
    desk.sender.script(DOMAIN, asks_to_wait(503, "31536000"))
    await desk.give(task(retry_ms=(1_000,)))
    assert desk.held[-1].delivery.due_at_ms == NOW_MS + 3_600_000


async def test_a_429_without_retry_after_slows_the_lane_down_and_it_recovers(desk: Desk) -> None:
    """Half of what it sent, then faster by a tenth each second."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(rate=parse_rate("10/s"), burst=1)})
    tiers = Tiers(desk)
    await desk.give(*tasks(99))
    await tiers.run(5_050)
    desk.sender.script(DOMAIN, Reply(Response(429)), Reply())
    await tiers.run(1_000)
    desk.sender.script(DOMAIN, Reply())
    slowed = len([at for at in begun_ms(desk) if 5_200 <= at < 7_200])
    await tiers.run(30_000)
    assert slowed <= 8
    rates = [len([at for at in begun_ms(desk) if since <= at < since + 2_000]) for since in (6_000, 12_000)]
    assert rates[0] < rates[1]
    assert the_lane(desk).allowed_per_s(desk.clock.now_ms()) == 10


async def test_five_failures_open_the_breaker_and_the_others_wait_without_an_attempt(desk: Desk) -> None:
    """Who is sent to wait says why; one comes back when the target may be asked again, the others later."""
    desk.policies = ONE_AT_ONCE
    desk.respond = dead
    await desk.give(*tasks(12, retry_ms=(MINUTE_MS,)))
    assert len(desk.sent) == 5
    waiting = [emit.delivery for emit in desk.held if emit.delivery.why is Why.BREAKER]
    assert [one.task_id for one in waiting] == [f"tsk_{number:02d}" for number in range(5, 12)]
    assert {one.attempt for one in waiting} == {1}
    assert waiting[0].due_at_ms == NOW_MS + 10_000
    assert all(3_750 <= one.due_at_ms - NOW_MS <= 6_250 for one in waiting[1:])
    told = [result.because.reason for result in desk.results if result.attempt == 1 and result.exchange is None]
    assert told == [Why.BREAKER] * 7
    assert desk.meter.counted("deferrals", "breaker") == 7


async def test_an_open_breaker_is_probed_and_closes_step_by_step(desk: Desk) -> None:
    """While the target is dead it is asked once per opening, ever more seldom; once it answers all goes, first one by one."""
    desk.respond = dead
    tiers = Tiers(desk)
    await desk.give(*tasks(60, retry_ms=(1_000,) * 20))
    await tiers.run(10_000 + 20_000 + 40_000 - 100)
    asked = [at for at in begun_ms(desk) if at > 0]
    assert [round(at, -3) for at in asked] == [10_000, 30_000]
    desk.respond = lambda _: Reply(delay_ms=100)
    await tiers.run(10 * MINUTE_MS)
    assert {desk.entry(one.task_id).state for one in tasks(60)} == {State.SUCCEEDED}
    assert the_lane_or_none(desk) in (None, BreakerState.CLOSED)
    after = [at for at in begun_ms(desk) if at > 60_000]
    crowd = max(len([at for at in after[:10] if since <= at < since + 100]) for since in after[:10])
    assert crowd <= 5


def the_lane_or_none(desk: Desk) -> BreakerState | None:
    lanes = [lane for lane in desk.deliver.gate.lanes if lane.key == DOMAIN]
    return lanes[0].breaker.state if lanes else None


async def test_client_errors_do_not_open_the_breaker(desk: Desk) -> None:
    """A receiver that refuses tasks is alive."""
    desk.answer(404)
    await desk.give(*tasks(20))
    assert len(desk.sent) == 20
    assert the_lane(desk).breaker.state is BreakerState.CLOSED


async def test_an_operators_pause_stops_a_domain_and_its_end_lets_it_go_on(desk: Desk) -> None:
    """Also for what waits in hand already; nothing goes until the record on config says otherwise, and no attempt is used."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(rate=parse_rate("1/s"), burst=1)})
    tiers = Tiers(desk)
    await desk.give(*tasks(4))
    await tiers.run(1_000)
    paused = Policy(rate=parse_rate("1/s"), burst=1, paused_until_ms=FOREVER_MS)
    desk.policies = PolicyBook(domains={DOMAIN: paused})
    await tiers.run(MINUTE_MS)
    assert begun_ms(desk) == [1_000]
    assert {emit.delivery.why for emit in desk.held} == {Why.PAUSED}
    assert desk.unfinished == 0
    desk.policies = PolicyBook()
    await tiers.run(2 * MINUTE_MS)
    assert sorted(desk.sent) == [(f"tsk_{number:02d}", 1) for number in range(4)]


async def test_a_domain_paused_while_it_was_idle_sends_nothing(desk: Desk) -> None:
    """Its lane is there and nobody waits in it: the next task finds the pause all the same."""
    await desk.give(task("before"))
    desk.policies = PolicyBook(domains={DOMAIN: Policy(paused_until_ms=FOREVER_MS)})
    await desk.give(task("after"))
    assert desk.sent == [("before", 1)]
    assert desk.held[-1].delivery.why is Why.PAUSED


async def test_a_pause_with_an_end_needs_nobody_to_lift_it(desk: Desk) -> None:
    """Slots are promised from its end on."""
    policy = Policy(rate=parse_rate("1/s"), burst=1, paused_until_ms=NOW_MS + MINUTE_MS)
    desk.policies = PolicyBook(domains={DOMAIN: policy})
    await desk.give(*tasks(3))
    await Tiers(desk).run(2 * MINUTE_MS)
    assert begun_ms(desk) == [60_000, 61_000, 62_000]
    assert desk.meter.counted("deferrals", "paused") == 3
