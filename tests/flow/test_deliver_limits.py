"""Limits on the wire: a domain's rate and its deferrals, whose turn it is, caps across domains, backlogs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from streamer.adapters.memory.sender import Reply
from streamer.core.delivery import Delivery, Why
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import parse_rate
from streamer.flow.deliver import DeliverLimits
from tests.core.samples import NOW_MS
from tests.flow.desk import Desk, a_desk, task
from tests.flow.tiers import Tiers

DOMAIN = "receiver.example"


def rated(rate: str, burst: int = 1) -> PolicyBook:
    """Return policies with a rate for the domain that tasks are for."""
    return PolicyBook(domains={DOMAIN: Policy(rate=parse_rate(rate), burst=burst)})


def tasks(count: int, first: int = 0, **changed: Any) -> list[Delivery]:
    return [task(f"tsk_{number:04d}", **changed) for number in range(first, first + count)]


def begun_ms(desk: Desk) -> list[int]:
    """Return when each call reached its target, from the beginning."""
    return [sent.at_ms - NOW_MS for sent in desk.sender.sent]


def begun(desk: Desk) -> list[str]:
    """Return which tasks were called, in order."""
    return [sent.delivery.task_id for sent in desk.sender.sent]


async def test_calls_keep_the_rate_of_their_domain(desk: Desk) -> None:
    """What fits the queue waits in hand and goes slot by slot, the first one spacing after the takeover."""
    desk.policies = rated("10/s")
    await desk.give(*tasks(20))
    await desk.clock.advance(3_000)
    assert begun_ms(desk) == [100 * slot for slot in range(1, 21)]
    assert (desk.held, desk.unfinished) == ([], 0)


async def test_what_does_not_fit_is_deferred_with_reason_and_promise(desk: Desk) -> None:
    """A deferral is told on results with why and until when, uses no attempt, and carries its slot and the lane's reason."""
    desk.policies = rated("1/s")
    await desk.give(*tasks(8))
    held = [emit.delivery for emit in desk.held]
    assert [one.task_id for one in held] == ["tsk_0005", "tsk_0006", "tsk_0007"]
    assert [one.promise_ms for one in held] == [NOW_MS + 6_000 + 1_000 * place for place in range(3)]
    assert [one.due_at_ms for one in held] == [NOW_MS + 4_000 + 1_000 * place for place in range(3)]
    assert {(one.why, one.attempt, one.seen, one.waits) for one in held} == {(Why.RATE, 1, True, 0)}
    told = [result for result in desk.results if result.outcome is Outcome.DEFERRED]
    assert [(one.because.reason, one.because.due_at_ms) for one in told] == [(Why.RATE, one.due_at_ms) for one in held]
    assert {(one.state, one.final, one.exchange) for one in told} == {(State.SCHEDULED, False, None)}
    assert desk.meter.counted("deferrals", "rate") == 3
    assert desk.entry("tsk_0005").state is State.SCHEDULED


async def test_a_backlog_drains_in_order_of_promises_at_the_full_rate(desk: Desk) -> None:
    """Released records keep their order and lose no slot; fresh ones beside them wait some seconds, not for the whole backlog."""
    desk.policies = rated("2/s")
    tiers = Tiers(desk)
    await desk.give(*tasks(60))
    await tiers.run(10_000)
    await desk.give(*tasks(5, first=900))
    await tiers.run(30_000)
    names = begun(desk)
    assert [name for name in names if name < "tsk_09"] == [f"tsk_{number:04d}" for number in range(60)]
    assert [name for name in names if name >= "tsk_09"] == [f"tsk_{number:04d}" for number in range(900, 905)]
    assert begun_ms(desk) == [500 * slot for slot in range(1, 66)]
    assert 20 < names.index("tsk_0900") < names.index("tsk_0904") <= 40
    assert desk.meter.counted("deferrals") <= 50 + 5
    assert {sent.delivery.attempt for sent in desk.sender.sent} == {1}


async def test_an_urgent_task_takes_the_next_slot(desk: Desk) -> None:
    """Priority 1 goes before all of 5, wherever these wait."""
    desk.policies = rated("1/s")
    await desk.give(*tasks(30, priority=5))
    await desk.clock.advance(1_500)
    await desk.give(task("urgent", priority=1))
    await desk.clock.advance(1_000)
    assert begun(desk) == ["tsk_0000", "urgent"]


async def test_businesses_take_turns_and_a_backlog_of_one_is_nothing_to_another() -> None:
    """With dozens of A waiting, B's tasks for the same domain get every other slot."""
    async with a_desk(policies=rated("10/s")) as desk:
        await desk.give(*tasks(100, business="a"))
        await desk.clock.advance(500)
        await desk.give(*tasks(5, first=500, business="b"))
        await desk.clock.advance(1_100)
        assert sorted(begun(desk)[5:])[-5:] == [f"tsk_{number:04d}" for number in range(500, 505)]


async def test_a_businesss_cap_holds_across_domains(desk: Desk) -> None:
    """At its cap a business waits in all its lanes; others go on in the same ones."""
    desk.policies = PolicyBook(businesses={"small": Policy(concurrency=2)})
    desk.respond = lambda _: Reply(delay_ms=1_000)
    await desk.give(*[task(f"small_{number}", business="small", lane=f"d{number}.example") for number in range(5)])
    await desk.give(task("other", lane="d4.example"))
    assert begun(desk) == ["small_0", "small_1", "other"]
    await desk.clock.advance(1_000)
    assert begun(desk)[3:] == ["small_2", "small_3"]
    await desk.clock.advance(2_000)
    assert (len(begun(desk)), desk.unfinished) == (6, 0)


async def test_the_rate_of_the_process_holds_over_all_domains() -> None:
    """However many domains there are, one process begins no more calls than it may."""
    async with a_desk(DeliverLimits(rate=parse_rate("5/s"))) as desk:
        await desk.give(*[task(f"tsk_{number}", lane=f"d{number}.example") for number in range(30)])
        await desk.clock.advance(10_000)
        assert begun_ms(desk)[:5] == [0] * 5
        assert all(later - sooner == 200 for sooner, later in pairwise(begun_ms(desk)[4:]))
        assert len(begun_ms(desk)) == 30


async def test_one_that_expires_in_the_queue_takes_no_slot(desk: Desk) -> None:
    """Its time is looked at when its turn comes, and the slot goes to the next."""
    desk.policies = rated("1/s")
    await desk.give(task("first"), task("late", expires_at_ms=NOW_MS + 1_500), task("next"))
    await desk.clock.advance(2_000)
    assert (begun(desk), begun_ms(desk)) == (["first", "next"], [1_000, 2_000])
    assert desk.entry("late").state is State.EXPIRED


async def test_one_that_would_expire_while_it_waits_is_looked_at_then(desk: Desk) -> None:
    """A deferral is no reason to learn later that the time is over."""
    desk.policies = rated("1/s")
    await desk.give(*tasks(6), task("late", expires_at_ms=NOW_MS + 3_000))
    [late] = [emit.delivery for emit in desk.held if emit.delivery.task_id == "late"]
    assert late.due_at_ms == NOW_MS + 3_000
    await Tiers(desk).run(4_000)
    assert desk.entry("late").state is State.EXPIRED


async def test_a_changed_rate_holds_without_a_restart(desk: Desk) -> None:
    """The policies of the moment are asked at the next look; those who waited for a slow slot go at the new rate."""
    desk.policies = rated("1/s")
    tiers = Tiers(desk)
    await desk.give(*tasks(20))
    await tiers.run(2_500)
    desk.policies = rated("100/s", 10)
    await tiers.run(20_000)
    assert len(begun(desk)) == 20
    assert len([at for at in begun_ms(desk) if at < 2_500]) == 2
    assert len([at for at in begun_ms(desk) if at < 4_000]) >= 5, (
        "the queue goes at once, the others come when they were told"
    )
    assert begun_ms(desk)[-1] <= 18_050


@pytest.mark.parametrize(("refuse", "state"), [(True, State.REJECTED), (False, State.SUCCEEDED)])
async def test_a_full_backlog_refuses_or_lets_wait(desk: Desk, refuse: bool, state: State) -> None:
    """At its cap a domain turns new tasks away with an answer, or only says so in the log; retries are no new tasks."""
    policy = Policy(rate=parse_rate("1/s"), burst=1, backlog=10, refuse=refuse)
    desk.policies = PolicyBook(domains={DOMAIN: policy})
    tiers = Tiers(desk)
    desk.answer(500, 200)
    await desk.give(*tasks(10, retry_ms=(1_000,)))
    await desk.give(*tasks(2, first=100))
    await tiers.run(20_000)
    assert [desk.entry(f"tsk_{number:04d}").state for number in range(10)] == [State.SUCCEEDED] * 10
    assert [desk.entry(name).state for name in ("tsk_0100", "tsk_0101")] == [state] * 2
    assert desk.meter.counted("backlog_full") == 2
    refused = [one for one in desk.results if one.state is State.REJECTED]
    assert {one.because.reason for one in refused} == ({"backlog_full"} if refuse else set())
    assert len(desk.dead_letters) == len(refused)
    await desk.give(*tasks(1, first=200))
    await tiers.run(2_000)
    assert desk.entry("tsk_0200").state is State.SUCCEEDED, "there is room again"


async def test_another_domain_has_a_backlog_of_its_own(desk: Desk) -> None:
    """The cap of one domain says nothing of another."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(rate=parse_rate("1/s"), burst=1, backlog=1, refuse=True)})
    await desk.give(task("first"), task("second"), task("other", lane="other.example"))
    assert desk.entry("second").state is State.REJECTED
    assert desk.entry("other").state is State.SUCCEEDED
