"""What holds a lane back, how calls change that, and how many may wait in its queue."""

from __future__ import annotations

from math import inf

import pytest

from streamer.core.breaker import BreakerState
from streamer.core.delivery import Why
from streamer.core.health import Health
from streamer.core.policy import FOREVER_MS, BreakerPolicy
from streamer.core.put_off import Tuning
from tests.core.lane_samples import a_lane, call, closed_again, limits, opened, waiting
from tests.core.samples import NOW_MS


def test_a_lane_that_nothing_holds_back_is_ready_now() -> None:
    """Without a rate calls go at once, up to the concurrency."""
    lane = a_lane(concurrency=2)
    assert lane.ready_ms(NOW_MS) == (NOW_MS, Why.RATE)
    permits = [lane.begin(NOW_MS) for _ in range(2)]
    assert lane.ready_ms(NOW_MS) == (inf, Why.LANE_FULL)
    lane.end(permits[0], Health.OK, NOW_MS, NOW_MS + 5)
    assert lane.ready_ms(NOW_MS + 5)[0] == NOW_MS + 5


def test_a_call_of_which_nothing_is_learned_gives_its_place_back() -> None:
    """A call that was cancelled, or never went out, says nothing of the target."""
    lane = a_lane(concurrency=1)
    lane.abandon(lane.begin(NOW_MS), NOW_MS + 7)
    assert (lane.running, lane.idle, lane.idle_since_ms) == (0, True, NOW_MS + 7)
    assert (lane.stats.service_ms, lane.dirty) == (0, False)


def test_calls_keep_the_rate() -> None:
    """The burst goes at once, but for what is kept in hand for ways that differ, then one each spacing."""
    lane = a_lane("10/s", burst=3)
    begun = []
    at_ms: float = NOW_MS
    for _ in range(6):
        at_ms = lane.ready_ms(at_ms)[0]
        begun.append(at_ms - NOW_MS)
        lane.begin(at_ms)
    assert begun == [0, 0, 100, 200, 300, 400]
    assert lane.ready_ms(at_ms) == (at_ms + 100, Why.RATE)


def test_of_two_pauses_the_longer_one_holds() -> None:
    """The operator's and the receiver's pause are told apart."""
    lane = a_lane("10/s", paused_until_ms=NOW_MS + 5_000)
    assert lane.ready_ms(NOW_MS) == (NOW_MS + 5_000, Why.PAUSED)
    lane.pause(NOW_MS + 9_000)
    assert lane.ready_ms(NOW_MS) == (NOW_MS + 9_000, Why.RETRY_AFTER)
    lane.apply(limits("10/s", paused_until_ms=FOREVER_MS), NOW_MS)
    assert lane.ready_ms(NOW_MS) == (FOREVER_MS, Why.PAUSED)


def test_a_pause_is_made_longer_never_shorter() -> None:
    """Of two answers with Retry-After the one that asks for more holds, whichever comes last."""
    lane = a_lane()
    lane.pause(NOW_MS + 9_000)
    lane.dirty = False
    lane.pause(NOW_MS + 5_000)
    assert (lane.paused_until_ms, lane.dirty) == (NOW_MS + 9_000, False)


def test_a_retry_after_pauses_the_lane_from_the_answer_on() -> None:
    """The pause counts from when the answer came, and must not be forgotten."""
    lane = a_lane()
    call(lane, Health.LIMITED, NOW_MS, took_ms=300, pause_ms=2_000)
    assert lane.ready_ms(NOW_MS + 300) == (NOW_MS + 2_300, Why.RETRY_AFTER)
    assert lane.dirty
    assert lane.allowed_per_s(NOW_MS + 300) is None, "who says how long to wait is not slowed down besides"


def test_a_429_without_retry_after_slows_the_lane_down_and_it_recovers() -> None:
    """Half of what it sent, faster by a tenth a second, and free again after some fifteen seconds."""
    lane = a_lane("10/s", concurrency=100)
    at_ms: float = NOW_MS
    for _ in range(100):
        at_ms = call(lane, Health.OK, at_ms)
    call(lane, Health.LIMITED, at_ms)
    slowed = lane.allowed_per_s(at_ms + 100)
    assert slowed is not None
    assert 4 < slowed < 6
    assert lane.dirty
    wait_ms = lane.ready_ms(at_ms + 100)[0] - at_ms - 100
    assert 150 < wait_ms <= 250
    assert lane.allowed_per_s(at_ms + 20_000) == 10


def test_five_failures_open_the_breaker_and_two_probes_close_it() -> None:
    """While it is open nothing goes; half-open one at a time, and the rest waits for that one's end."""
    lane = opened(a_lane())
    until_ms = NOW_MS + 10_000
    assert (lane.ready_ms(NOW_MS), lane.dirty) == ((until_ms, Why.BREAKER), True)
    probe = lane.begin(until_ms)
    assert lane.ready_ms(until_ms) == (inf, Why.BREAKER)
    lane.end(probe, Health.OK, until_ms, until_ms + 5)
    assert lane.ready_ms(until_ms + 5)[0] == until_ms + 5
    lane.end(lane.begin(until_ms + 5), Health.OK, until_ms + 5, until_ms + 9)
    assert lane.breaker.state is BreakerState.CLOSED


def test_after_it_closed_calls_are_let_in_step_by_step() -> None:
    """One at once, and one more with each success."""
    lane = opened(a_lane(concurrency=4))
    at_ms = closed_again(lane)
    rooms = [lane.room]
    for _ in range(5):
        call(lane, Health.OK, at_ms)
        rooms.append(lane.room)
    assert rooms == [1, 2, 3, 4, 4, 4]


def test_a_late_answer_of_a_former_generation_changes_nothing() -> None:
    """Calls that went out before the breaker opened end as they like."""
    lane = a_lane(concurrency=10)
    late = [lane.begin(NOW_MS) for _ in range(3)]
    opened(lane)
    lane.dirty = False
    for permit in late:
        lane.end(permit, Health.FAILED, NOW_MS, NOW_MS + 9_000)
    assert (lane.breaker.openings, lane.breaker.open_until_ms, lane.dirty) == (1, NOW_MS + 10_000, False)


def test_another_shards_breaker_opens_this_one_but_does_not_shorten_it() -> None:
    """What another shard has learned holds here, is kept, and is bounded by the longest opening."""
    lane = a_lane(breaker=BreakerPolicy(open_most_ms=60_000))
    lane.hold_off(NOW_MS - 1, NOW_MS)
    assert lane.breaker.state is BreakerState.CLOSED
    lane.hold_off(NOW_MS + 10**9, NOW_MS)
    assert (lane.ready_ms(NOW_MS), lane.dirty) == ((NOW_MS + 60_000, Why.BREAKER), True)
    lane.hold_off(NOW_MS + 5_000, NOW_MS)
    assert lane.breaker.open_until_ms == NOW_MS + 60_000


@pytest.mark.parametrize(
    ("rate", "service_ms", "crowded", "fits"),
    [
        ("10/s", 0, False, 50),
        ("10/s", 200, True, 50),
        ("100/s", 2_000, False, 50),  # 20 at once, 2 s each: 10/s
        ("1/s", 0, False, 5),
        ("1/h", 0, False, 1),
        ("5000/s", 0, False, 10_000),
        (None, 0, False, 1_000),
        (None, 2_000, False, 300),  # 10/s, and six times as much while there is room
        (None, 2_000, True, 50),
        (None, 1_000_000, True, 20),  # never fewer than may run at once
        (None, 0.5, False, 10_000),
    ],
)
def test_the_queue_holds_what_the_lane_does_in_five_seconds(
    rate: str | None, service_ms: float, crowded: bool, fits: int
) -> None:
    """RULES 22: by the rate, or by the measured service time; a guess while nothing is known."""
    lane = a_lane(rate)
    lane.stats.service_ms = service_ms
    lane.crowded = crowded
    assert lane.capacity(NOW_MS) == fits


def test_a_lane_that_must_stay_closed_for_long_keeps_nothing_in_hand() -> None:
    """A record in hand holds up its partition's commits: what waits longer than the queue's time waits elsewhere."""
    paused, slow, broken, shortly = (
        a_lane(),
        a_lane("1/h"),
        opened(a_lane()),
        a_lane("1/s", paused_until_ms=NOW_MS + 4_000),
    )
    paused.pause(NOW_MS + 5_001)
    call(slow, Health.OK, NOW_MS)
    assert [lane.capacity(NOW_MS) for lane in (paused, slow, broken, shortly)] == [0, 0, 0, 5]
    assert slow.capacity(NOW_MS + 3_596_000) == 1
    assert broken.capacity(NOW_MS + 6_000) == 1, "the probe waits in hand, nobody else"
    assert a_lane(paused_until_ms=FOREVER_MS).capacity(NOW_MS) == 0


def test_a_lane_without_room_for_another_call_keeps_its_queue() -> None:
    """That all may-run-at-once run is no reason to send away what waits for one of them to end."""
    lane = a_lane(concurrency=1)
    lane.begin(NOW_MS)
    assert lane.capacity(NOW_MS) == 1_000


def test_a_queue_is_overfull_by_number_and_by_bytes() -> None:
    """Large bodies fill it sooner."""
    lane = a_lane(tuning=Tuning(unmeasured=2, most_bytes=10_000))
    lane.queue.push(waiting(1))
    lane.queue.push(waiting(2))
    assert not lane.overfull(NOW_MS)
    lane.queue.push(waiting(3))
    assert lane.overfull(NOW_MS)
    lane = a_lane(tuning=Tuning(most_bytes=10_000))
    lane.queue.push(waiting(1, size_bytes=10_001))
    assert lane.overfull(NOW_MS)


def test_changed_limits_hold_for_the_next_call() -> None:
    """A rate that is new finds an empty bucket; one that goes frees the lane; a faster one needs no rest first."""
    lane = a_lane()
    lane.apply(limits("1/s", burst=5), NOW_MS)
    assert lane.ready_ms(NOW_MS)[0] == NOW_MS + 1_000
    lane.apply(limits("100/s", burst=5), NOW_MS)
    assert lane.ready_ms(NOW_MS)[0] <= NOW_MS + 10
    lane.apply(limits(concurrency=1), NOW_MS)
    assert lane.ready_ms(NOW_MS)[0] == NOW_MS
    lane.begin(NOW_MS)
    lane.apply(limits(concurrency=2), NOW_MS)
    assert lane.ready_ms(NOW_MS)[0] == NOW_MS


def test_a_changed_breaker_policy_holds_for_the_next_failure() -> None:
    """Fewer failures open it from now on, and the longest opening bounds one that lasts."""
    lane = a_lane()
    call(lane, Health.FAILED, NOW_MS)
    lane.apply(limits(breaker=BreakerPolicy(failures_in_row=2)), NOW_MS)
    call(lane, Health.FAILED, NOW_MS)
    assert lane.breaker.state is BreakerState.OPEN
    lane.apply(limits(breaker=BreakerPolicy(open_most_ms=3_000)), NOW_MS)
    assert lane.ready_ms(NOW_MS)[0] == NOW_MS + 3_000


def test_a_lane_tells_its_state() -> None:
    """The repr shows who runs, who waits, and the breaker."""
    lane = opened(a_lane())
    lane.queue.push(waiting())
    assert repr(lane) == "<Lane receiver.example running=0 waiting=1 open>"
    assert not lane.idle
