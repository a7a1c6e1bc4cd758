"""What is written of lanes: what must not be forgotten, soon after it has changed; figures, once a second; both only then."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.adapters.memory.sender import Reply
from streamer.core.breaker import BreakerState
from streamer.core.delivery import Delivery, Why
from streamer.core.figures import LaneFigures
from streamer.core.lane import Lane
from streamer.core.lane_memory import LaneMemory, lane_digest
from streamer.core.lanes import IDLE_MS
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.policy import FOREVER_MS, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.rate import parse_rate
from streamer.flow.lane_keeper import FIGURES_MS, STATE_MS
from streamer.ports import Abandoned
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task
from tests.flow.tiers import Tiers

DOMAIN = "receiver.example"


def tasks(count: int, first: int = 0, **changed: Any) -> list[Delivery]:
    return [task(f"tsk_{number:02d}", **changed) for number in range(first, first + count)]


def dead(_: Delivery) -> Reply:
    return Reply(Failure(ErrorType.READ_TIMEOUT, "late"))


def memories(desk: Desk) -> list[LaneMemory | None]:
    """Return what was written of the domain's lane."""
    written = [value for _, key, value in desk.outbox.changelog if key == lane_digest(DOMAIN)]
    assert all(value is None or isinstance(value, LaneMemory) for value in written)
    return written  # type: ignore[return-value]


def figures(desk: Desk) -> list[LaneFigures]:
    return desk.outbox.of(LaneFigures)


def the_lane(desk: Desk) -> Lane[Any]:
    return next(lane for lane in desk.deliver.gate.lanes if lane.key == DOMAIN)


@pytest.fixture
def broken(desk: Desk) -> Desk:
    """A desk whose target is dead."""
    desk.respond = dead
    return desk


# What must not be forgotten


async def test_what_changed_is_written_a_quarter_of_a_second_later(broken: Desk) -> None:
    """An opened breaker stands in the changelog, under the partition's own number; calls alone write nothing."""
    await broken.give(*tasks(4))
    await broken.clock.advance(10_000)
    assert memories(broken) == []
    await broken.give(*tasks(1, first=10))
    await broken.clock.advance(STATE_MS)
    [memory] = memories(broken)
    assert memory is not None
    assert (memory.openings, memory.open_until_ms) == (1, NOW_MS + 20_000)
    await broken.clock.advance(5_000)
    assert len(memories(broken)) == 1


async def test_an_open_breaker_stays_open_over_a_crash(broken: Desk) -> None:
    """The next owner asks the target when the last one would have, and not before."""
    await broken.give(*tasks(5))
    await broken.clock.advance(1_000)
    broken.commit()
    await broken.crash()
    await broken.give(*tasks(3, first=10))
    assert len(broken.sent) == 5
    assert {emit.delivery.why for emit in broken.held[5:]} <= {Why.BREAKER, Why.RETRY}
    await Tiers(broken).run(11_000)
    late = [sent.at_ms - NOW_MS for sent in broken.sender.sent[5:]]
    assert len(late) == 1
    assert 10_000 <= late[0] <= 10_100


async def test_a_receivers_pause_holds_over_a_crash(desk: Desk) -> None:
    """Whoever reads the changelog knows of it."""
    desk.sender.script(DOMAIN, Reply(Response(429, (("Retry-After", "60"),))), Reply())
    await desk.give(task(retry_ms=(1_000,)))
    await desk.clock.advance(1_000)
    await desk.crash()
    await desk.give(*tasks(3, first=10))
    await Tiers(desk).run(2 * MINUTE_MS)
    assert desk.sender.sent[1].at_ms >= NOW_MS + 60_000


async def test_a_lane_that_is_taken_over_starts_with_an_empty_bucket(desk: Desk) -> None:
    """RULES 18: the first slot comes one interval after the takeover, whatever the dead owner had sent last."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(rate=parse_rate("2/s"), burst=5)})
    await desk.clock.advance(60_000)
    await desk.give(*tasks(5))
    await desk.clock.advance(100)
    assert len(desk.sent) == 5
    desk.commit()
    await desk.crash()
    taken_over_ms = desk.clock.now_ms()
    await desk.give(*tasks(5, first=10))
    await desk.clock.advance(2_600)
    assert [sent.at_ms - taken_over_ms for sent in desk.sender.sent[5:]] == [500, 1_000, 1_500, 2_000, 2_500]


async def test_a_handed_over_lane_keeps_its_debt(desk: Desk) -> None:
    """A drain writes what every lane knows, so that a slow one is neither early nor late at its next owner."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(rate=parse_rate("1/m"), burst=1)})
    await desk.clock.advance(MINUTE_MS)
    await desk.give(task())
    sent_ms = desk.sender.sent[0].at_ms
    assert await desk.deliver.drain(1_000)
    desk.deliver.resume()
    desk.commit()
    await desk.crash()
    await desk.give(task("next"))
    await Tiers(desk).run(2 * MINUTE_MS)
    assert desk.sender.sent[1].at_ms - sent_ms in range(60_000, 60_100)


@pytest.mark.parametrize("error", [Abandoned(), OSError("away")])
async def test_a_drain_goes_on_when_the_lanes_cannot_be_written(broken: Desk, error: Exception) -> None:
    """The offsets are still to be committed; the next owner starts with what was written before."""
    await broken.give(*tasks(5, retry_ms=()))
    broken.outbox.fail("log", error)
    assert await broken.deliver.drain(1_000)


async def test_promises_are_kept_over_a_crash(desk: Desk) -> None:
    """A slot that the dead owner promised is promised to nobody else."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(rate=parse_rate("1/s"), burst=1)})
    await desk.give(*tasks(30))
    await desk.clock.advance(STATE_MS)
    promised = {emit.delivery.promise_ms for emit in desk.held}
    desk.commit()
    await desk.crash()
    before = len(desk.held)
    await desk.give(*tasks(10, first=50))
    again = {emit.delivery.promise_ms for emit in desk.held[before:]}
    assert len(promised) == 25
    assert again
    assert not promised & again


async def test_what_matters_no_more_leaves_the_changelog(desk: Desk) -> None:
    """A pause that is over, of a lane that is idle: a tombstone, once."""
    desk.sender.script(DOMAIN, Reply(Response(429, (("Retry-After", "5"),))), Reply())
    await desk.give(task(retry_ms=(1_000,)))
    await Tiers(desk).run(6_000)
    await desk.clock.advance(IDLE_MS)
    for _ in range(3):
        desk.deliver.keeper.forget_idle()
        await desk.clock.advance(5_000)
    assert [memory is None for memory in memories(desk)] == [False, True]
    assert len(desk.lanes) == 0


async def test_state_that_could_not_be_written_is_written_later(broken: Desk) -> None:
    """A broker that is away for a moment loses nothing of a lane."""
    await broken.give(*tasks(5, retry_ms=()))
    broken.outbox.fail("log", OSError("away"))
    await broken.clock.advance(STATE_MS)
    assert memories(broken) == []
    await broken.clock.advance(2 * STATE_MS)
    [memory] = memories(broken)
    assert memory is not None
    assert memory.openings == 1


async def test_nothing_is_written_without_the_lease(broken: Desk) -> None:
    """RULES 4: what a stopped owner has learned is not for the changelog any more."""
    await broken.give(*tasks(5))
    broken.lease.lose()
    await broken.clock.advance(5_000)
    assert (memories(broken), figures(broken)) == ([], [])


async def test_an_abandoned_write_ends_nothing(broken: Desk) -> None:
    """The keeper goes on for the partitions that are left."""
    await broken.give(*tasks(5, retry_ms=()))
    broken.outbox.fail("log", Abandoned())
    await broken.clock.advance(10 * STATE_MS)
    broken.respond = lambda _: Reply()
    await broken.give(task("other", lane="other.example"))
    await broken.clock.advance(FIGURES_MS)
    assert "other.example" in {one.lane for one in figures(broken)}


# Figures


async def test_figures_are_shown_once_a_second_while_they_change(desk: Desk) -> None:
    """What people see is a second old at most, and nothing is written for a lane where nothing happens."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(rate=parse_rate("10/s"), burst=1, concurrency=7)})
    await desk.give(*tasks(70))
    await desk.clock.advance(3_500)
    shown = figures(desk)
    assert [one.at_ms - NOW_MS for one in shown] == [1_000, 2_000, 3_000]
    last = shown[-1]
    assert (last.lane, last.shard, last.gone, last.rate_allowed_per_s, last.concurrency) == (DOMAIN, 0, False, 10, 7)
    assert (last.queue_limit, last.queue, last.in_flight) == (50, 21, 0)
    assert last.rate_used_per_s == pytest.approx(29 / 9)
    assert last.promised_until_ms == NOW_MS + 7_000
    assert last.oldest_waiting_ms == 3_000
    assert (last.breaker, last.open_until_ms, last.paused_until_ms, last.paused_by) == ("closed", 0, 0, None)
    await desk.clock.advance(60_000)
    quiet = len(figures(desk))
    assert figures(desk)[-1].rate_used_per_s == 0
    await desk.clock.advance(60_000)
    assert len(figures(desk)) == quiet


async def test_figures_tell_latencies_and_calls_on_the_wire(desk: Desk) -> None:
    """Of the last calls, failed ones included."""
    desk.respond = lambda _: Reply(delay_ms=300)
    await desk.give(*tasks(3))
    await desk.clock.advance(300)
    desk.respond = lambda _: Reply(delay_ms=5_000)
    await desk.give(*tasks(2, first=10))
    await desk.clock.advance(1_000)
    last = figures(desk)[-1]
    assert (last.p50_ms, last.p95_ms, last.in_flight) == (300, 300, 2)


async def test_figures_tell_what_holds_a_lane_back(desk: Desk) -> None:
    """An open breaker, a receiver's pause, an operator's: until when, and by whom."""
    desk.sender.script("a.example", Reply(Response(429, (("Retry-After", "60"),))))
    desk.policies = PolicyBook(domains={"b.example": Policy(paused_until_ms=FOREVER_MS)})
    desk.sender.script(DOMAIN, Reply(Failure(ErrorType.CONNECT, "refused")))
    await desk.give(task("a", lane="a.example", url="https://a.example/"), task("b", lane="b.example"), *tasks(3))
    await desk.clock.advance(1_000)
    shown = {one.lane: one for one in figures(desk)}
    assert (shown["a.example"].paused_until_ms, shown["a.example"].paused_by) == (NOW_MS + 60_000, "receiver")
    assert (shown["b.example"].paused_until_ms, shown["b.example"].paused_by) == (FOREVER_MS, "operator")
    assert (shown[DOMAIN].breaker, shown[DOMAIN].open_until_ms) == ("open", NOW_MS + 10_000)


async def test_figures_of_a_lane_that_is_forgotten_are_removed(desk: Desk) -> None:
    """Once, and only where there were any."""
    await desk.give(task())
    await desk.clock.advance(IDLE_MS)
    for _ in range(2):
        desk.deliver.keeper.forget_idle()
        await desk.clock.advance(2_000)
    assert [one.gone for one in figures(desk)].count(True) == 1
    assert figures(desk)[-1].gone


async def test_figures_that_could_not_be_shown_are_shown_later(desk: Desk) -> None:
    """Also that a lane is gone: else it would be seen for ever."""
    await desk.give(task())
    desk.outbox.fail("publish", OSError("away"))
    await desk.clock.advance(FIGURES_MS)
    assert figures(desk) == []
    await desk.clock.advance(FIGURES_MS)
    assert [one.lane for one in figures(desk)] == [DOMAIN]
    await desk.clock.advance(IDLE_MS)
    desk.deliver.keeper.forget_idle()
    desk.outbox.fail("publish", OSError("away"))
    await desk.clock.advance(5 * FIGURES_MS)
    assert figures(desk)[-1].gone


async def test_a_partition_that_left_leaves_no_figures_behind(desk: Desk) -> None:
    """When it comes back its lanes are shown again, whatever was shown of them before."""
    await desk.give(task())
    await desk.clock.advance(FIGURES_MS)
    assert desk.deliver.keeper._shown
    desk.deliver.give_up(desk.owned)
    assert not desk.deliver.keeper._shown


async def test_a_lane_that_was_closed_by_its_breaker_is_open_in_the_state_too(broken: Desk) -> None:
    """State and lane agree after the write."""
    await broken.give(*tasks(5))
    await broken.clock.advance(STATE_MS)
    assert the_lane(broken).breaker.state is BreakerState.OPEN
    known = broken.lanes.get(DOMAIN)
    assert known is not None
    assert known.open_until_ms == the_lane(broken).breaker.open_until_ms
