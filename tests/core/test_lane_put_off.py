"""Deferrals of a lane: promised slots, the horizon, waits for a breaker or an operator, and slots handed on (RULES 9)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.delivery import Why
from streamer.core.health import Health
from streamer.core.policy import FOREVER_MS
from streamer.core.put_off import PutOff, Tuning
from tests.core.lane_samples import TUNING, a_lane, call, closed_again, limits, opened, waiting
from tests.core.samples import NOW_MS

HORIZON_MS, LEAD_MS = TUNING.horizon_ms, TUNING.lead_ms


def test_slots_are_promised_one_spacing_apart_behind_the_queue() -> None:
    """The first deferral gets the slot after those who wait in the queue, the next one the slot after that."""
    lane = a_lane("10/s")
    call(lane, Health.OK, NOW_MS)
    for number in range(50):
        lane.queue.push(waiting(number))
    promises = [lane.put_off(0, NOW_MS).promise_ms for _ in range(3)]
    assert promises == [NOW_MS + 5_100, NOW_MS + 5_200, NOW_MS + 5_300]
    assert lane.promised_ms == NOW_MS + 5_300
    assert lane.dirty, "a promise is not forgotten by the next owner"


def test_one_comes_back_a_little_before_its_slot() -> None:
    """A late hop does not lose the slot; the reason says what the lane is short of."""
    lane = a_lane("1/s")
    *_, wait = [lane.put_off(3, NOW_MS) for _ in range(6)]
    assert wait.promise_ms is not None
    assert wait == PutOff(Why.RATE, wait.promise_ms - LEAD_MS, wait.promise_ms, 0)
    assert a_lane().put_off(0, NOW_MS).why is Why.LANE_FULL


def test_beyond_the_horizon_no_slot_is_promised() -> None:
    """The 6,001st of a lane at 10/s finds its ten minutes taken, and comes back in their second half to ask again."""
    lane = a_lane("10/s")
    waits = [lane.put_off(0, NOW_MS) for _ in range(7_000)]
    promised = [wait.promise_ms for wait in waits if wait.promise_ms is not None]
    assert promised == sorted(set(promised))
    assert len(promised) == pytest.approx(6_000, abs=2)
    beyond = waits[len(promised) :]
    assert all(HORIZON_MS / 2 <= wait.due_at_ms - NOW_MS <= HORIZON_MS for wait in beyond)
    assert {(wait.why, wait.promise_ms, wait.waits) for wait in beyond} == {(Why.RATE, None, 0)}


def test_those_beyond_the_horizon_come_back_evenly() -> None:
    """RULES 9: a flat horizon would bring 94,000 back in one second."""
    lane = a_lane("10/s")
    waits = [lane.put_off(0, NOW_MS) for _ in range(100_000)]
    seconds = [0] * 301
    for wait in waits:
        if wait.promise_ms is None:
            seconds[(wait.due_at_ms - NOW_MS - HORIZON_MS // 2) // 1_000] += 1
    assert max(seconds) <= 1.1 * 94_000 / 300


@given(st.sampled_from(["100/s", "10/s", "1/s", "7/m", "1/m"]), st.integers(1, 400), st.integers(0, 60_000))
def test_promised_slots_never_outrun_the_rate(rate: str, count: int, pause_ms: int) -> None:
    """However many are put off, the slots they get are no nearer to each other than calls may be, and past any pause."""
    lane = a_lane(rate)
    if pause_ms:
        lane.pause(NOW_MS + pause_ms)
    spacing_ms = limits(rate).rate.spacing_ms  # type: ignore[union-attr]
    promised = [slot for _ in range(count) if (slot := lane.put_off(0, NOW_MS).promise_ms) is not None]
    assert promised
    assert promised[0] >= NOW_MS + pause_ms
    assert all(later - sooner >= spacing_ms - 1 for sooner, later in pairwise(promised))


def test_a_slow_lane_promises_a_few_slots_beyond_the_horizon() -> None:
    """At 1/h even the next slot lies beyond ten minutes: without a promise each would ask again six times an hour."""
    lane = a_lane("1/h")
    call(lane, Health.OK, NOW_MS)
    waits = [lane.put_off(0, NOW_MS) for _ in range(20)]
    hours = [round((wait.promise_ms - NOW_MS) / 3_600_000) for wait in waits if wait.promise_ms is not None]
    assert hours == list(range(1, 11))


def test_a_retry_after_promises_slots_from_its_end_on() -> None:
    """The whole backlog of a paused lane comes back spaced, not all together at the end of the pause."""
    lane = a_lane("10/s", burst=10)
    lane.pause(NOW_MS + 60_000)
    waits = [lane.put_off(0, NOW_MS) for _ in range(20)]
    assert {wait.why for wait in waits} == {Why.RETRY_AFTER}
    promises = [wait.promise_ms for wait in waits]
    assert promises[0] == NOW_MS + 60_000
    assert promises[-1] == NOW_MS + 61_900


def test_an_operators_pause_with_an_end_promises_slots_too() -> None:
    """Until then nothing of the lane comes back."""
    wait = a_lane("10/s", paused_until_ms=NOW_MS + 60_000).put_off(0, NOW_MS)
    assert (wait.why, wait.promise_ms) == (Why.PAUSED, NOW_MS + 60_000)


def test_a_pause_without_an_end_is_asked_about_ever_more_seldom() -> None:
    """5 s, then twice as long each time, up to the horizon; around these, so that a crowd does not come back together."""
    lane = a_lane(paused_until_ms=FOREVER_MS)
    waits = 0
    for doubled_ms in [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]:
        wait = lane.put_off(waits, NOW_MS)
        assert (wait.why, wait.promise_ms, wait.waits) == (Why.PAUSED, None, waits + 1)
        assert 0.75 * doubled_ms <= wait.due_at_ms - NOW_MS <= 1.25 * doubled_ms
        waits = wait.waits
    assert lane.put_off(10_000, NOW_MS).due_at_ms <= NOW_MS + 1.25 * HORIZON_MS


def test_while_a_breaker_is_open_one_comes_back_to_probe_it() -> None:
    """That one is there when the breaker may be asked again; all others double their waits."""
    lane = opened(a_lane())
    first, *others = [lane.put_off(1, NOW_MS) for _ in range(50)]
    assert first == PutOff(Why.BREAKER, NOW_MS + 10_000, None, 1)
    assert {(wait.why, wait.promise_ms, wait.waits) for wait in others} == {(Why.BREAKER, None, 2)}
    assert all(7_500 <= wait.due_at_ms - NOW_MS <= 12_500 for wait in others)
    assert len({wait.due_at_ms for wait in others}) > 45


def test_each_opening_is_probed_once() -> None:
    """A breaker that opens again sends one more to wait for its end; half-open it has its probe already."""
    lane = opened(a_lane())
    lane.put_off(0, NOW_MS)
    at_ms = call(lane, Health.FAILED, NOW_MS + 10_000)
    again_ms = lane.breaker.open_until_ms
    assert again_ms == at_ms + 20_000
    assert lane.put_off(0, at_ms).due_at_ms == again_ms
    assert lane.put_off(0, at_ms).due_at_ms < again_ms
    lane.begin(again_ms)
    assert lane.put_off(4, again_ms).waits == 5


def test_a_lane_without_a_rate_promises_by_what_it_has_measured() -> None:
    """RULES 9: service time by concurrency, with some room for what the target could do; never slower than one a second."""
    lane = a_lane(concurrency=10)
    lane.stats.service_ms = 1_000
    first, second = (lane.put_off(0, NOW_MS).promise_ms for _ in range(2))
    assert first is not None
    assert second == first + 100
    lane = a_lane(concurrency=1)
    lane.stats.service_ms = 1e9
    first, second = (lane.put_off(0, NOW_MS).promise_ms for _ in range(2))
    assert first is not None
    assert second == first + 1_000


def test_while_nothing_is_measured_the_queue_is_taken_to_last_its_time() -> None:
    """Else those that do not fit the queue of a new lane would come back at once, again and again, until a call has ended."""
    lane = a_lane()
    for number in range(TUNING.unmeasured):
        lane.queue.push(waiting(number))
    waits = [lane.put_off(0, NOW_MS) for _ in range(100)]
    assert all(wait.due_at_ms >= NOW_MS + 1_000 for wait in waits)
    assert len({wait.promise_ms for wait in waits}) == 100


def test_one_that_does_not_fit_a_fast_lanes_queue_does_not_come_back_at_once() -> None:
    """The queue's bound by number may be shorter than the lead: a record would go to and fro until its slot has come."""
    lane = a_lane("20000/s", tuning=Tuning(most_waiting=1_000))
    for number in range(1_000):
        lane.queue.push(waiting(number))
    assert lane.put_off(0, NOW_MS).due_at_ms > NOW_MS


def test_a_slot_that_is_needed_no_more_is_promised_again() -> None:
    """RULES 9: a cancelled task's slot goes to the next deferral; one that is past, or was never promised, to nobody."""
    for lane in (a_lane("1/s"), a_lane(), measured := a_lane()):
        measured.stats.service_ms = 1_000
        slots = [lane.put_off(0, NOW_MS).promise_ms for _ in range(3)]
        assert slots[1] is not None
        lane.hand_on(slots[1], NOW_MS)
        assert lane.put_off(0, NOW_MS).promise_ms == slots[2]
        for nobodys_ms in (NOW_MS, NOW_MS - 5, NOW_MS + 10**7):
            lane.hand_on(nobodys_ms, NOW_MS)
        assert lane.promised_ms == slots[2]


def test_after_a_changed_rate_slots_are_promised_anew() -> None:
    """Who has an old promise is asked again at release; new ones do not wait behind the promises of a slower rate."""
    lane = a_lane("1/m")
    for _ in range(10):
        lane.put_off(0, NOW_MS)
    lane.apply(limits("10/s"), NOW_MS)
    slot_ms = lane.put_off(0, NOW_MS).promise_ms
    assert slot_ms is not None
    assert slot_ms - NOW_MS <= 200


def test_a_breaker_that_closed_promises_slots_again() -> None:
    """With one place at first, so that what waited does not come back at once."""
    lane = opened(a_lane())
    at_ms = closed_again(lane)
    lane.stats.service_ms = 1_000
    first, second = (lane.put_off(0, at_ms).promise_ms for _ in range(2))
    assert first is not None
    assert second is not None
    assert second - first >= 450


def test_a_lane_that_was_slow_for_our_own_load_promises_by_its_quicker_calls() -> None:
    """Promised at the mean of a busy moment, its backlog would come back as slowly when the moment is over."""
    lane = a_lane(concurrency=10)
    for duration_ms in (50, 50, 50, 400, 400, 400, 400, 400):
        lane.stats.ended(duration_ms)
    assert lane.stats.service_ms > 200
    first, second = (lane.put_off(0, NOW_MS).promise_ms for _ in range(2))
    assert first is not None
    assert second == first + 5
