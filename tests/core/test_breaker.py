"""The breaker's story: it opens, asks with probes, closes, and lets in step by step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.breaker import ROOM_ENOUGH, Breaker, BreakerState, Permit
from streamer.core.health import Health
from streamer.core.policy import BreakerPolicy

NOW_MS = 1_790_000_000_000
POLICY = BreakerPolicy(
    failures_in_row=5, connect_failures_in_row=3, open_ms=10_000, open_most_ms=60_000, probes=1, successes_to_close=2
)


def end_one(breaker: Breaker, health: Health, now_ms: float) -> bool:
    """Let one call go and end at one instant."""
    assert breaker.ready_ms(now_ms) == now_ms
    return breaker.ended(breaker.admit(now_ms), health, now_ms)


def opened(policy: BreakerPolicy = POLICY) -> Breaker:
    """Return a breaker that has just opened at NOW_MS."""
    breaker = Breaker(policy)
    while breaker.state is BreakerState.CLOSED:
        end_one(breaker, Health.FAILED, NOW_MS)
    return breaker


def close(breaker: Breaker) -> float:
    """Let an open breaker's probes succeed as soon as they may go; return when it closed."""
    now_ms = breaker.ready_ms(NOW_MS)
    assert now_ms is not None
    while breaker.state is not BreakerState.CLOSED:
        end_one(breaker, Health.OK, now_ms)
    return now_ms


@pytest.mark.parametrize(("health", "number"), [(Health.FAILED, 5), (Health.CONNECT_FAILED, 3)])
def test_failures_in_a_row_open_it(health: Health, number: int) -> None:
    """The last of them changes the state, and no call may go until the time is over."""
    breaker = Breaker(POLICY)
    assert [end_one(breaker, health, NOW_MS) for _ in range(number)] == [False] * (number - 1) + [True]
    assert (breaker.state, breaker.open_until_ms, breaker.openings) == (BreakerState.OPEN, NOW_MS + 10_000, 1)
    assert breaker.ready_ms(NOW_MS + 1) == NOW_MS + 10_000
    with pytest.raises(ValueError, match="ask ready_ms first"):
        breaker.admit(NOW_MS + 9_999)


def test_what_says_nothing_counts_as_nothing() -> None:
    """A call that our own guard blocked neither ends a row of failures nor lengthens it."""
    breaker = Breaker(POLICY)
    for health in [Health.FAILED, Health.NONE] * 4:
        assert not end_one(breaker, health, NOW_MS)
    assert end_one(breaker, Health.FAILED, NOW_MS)


@pytest.mark.parametrize("health", [Health.OK, Health.NEUTRAL, Health.LIMITED])
def test_answered_probes_close_it(health: Health) -> None:
    """Any answer that is no fault of the target's shows it alive; one probe is out at a time."""
    breaker = opened()
    now_ms = NOW_MS + 10_000
    first = breaker.admit(now_ms)
    assert (breaker.state, first.probe, breaker.ready_ms(now_ms)) == (BreakerState.HALF_OPEN, True, None)
    with pytest.raises(ValueError, match="ask ready_ms first"):
        breaker.admit(now_ms)
    assert not breaker.ended(first, health, now_ms + 50)
    assert end_one(breaker, health, now_ms + 50)
    assert (breaker.state, breaker.ready_ms(now_ms + 50)) == (BreakerState.CLOSED, now_ms + 50)
    assert (first.generation, breaker.generation) == (2, 3), "each change of state is a new generation"


def test_each_reopening_is_twice_as_long_up_to_the_bound() -> None:
    """A target that fails each probe is asked less and less often, but asked."""
    breaker, now_ms, stays = opened(), float(NOW_MS), []
    for _ in range(5):
        stays.append(breaker.open_until_ms - now_ms)
        now_ms = breaker.open_until_ms
        assert end_one(breaker, Health.FAILED, now_ms)
    assert stays == [10_000, 20_000, 40_000, 60_000, 60_000]
    assert breaker.openings == 6


@pytest.mark.parametrize(("closed_ms", "stay_ms"), [(9_999, 20_000), (10_000, 10_000)])
def test_a_flapping_target_is_not_forgiven(closed_ms: int, stay_ms: int) -> None:
    """Only what stayed closed for as long as it had been open opens for the first time again."""
    breaker = opened()
    now_ms = close(breaker) + closed_ms
    while breaker.state is BreakerState.CLOSED:
        end_one(breaker, Health.FAILED, now_ms)
    assert breaker.open_until_ms == now_ms + stay_ms


def test_a_clock_that_is_set_back_does_not_delay_forgiveness() -> None:
    """Else a breaker that closed would be a flapping one until the clock has caught up."""
    breaker = opened()
    now_ms = close(breaker) - 3_600_000
    breaker.ready_ms(now_ms)
    assert breaker.openings == 1
    breaker.ready_ms(now_ms + 10_000)
    assert breaker.openings == 0


def test_openings_are_forgotten_when_it_has_closed_for_good() -> None:
    """Who asks whether a call may go sees it, so that an idle lane has nothing left to remember."""
    breaker = opened()
    closed_at_ms = close(breaker)
    breaker.ready_ms(closed_at_ms + 9_999)
    assert breaker.openings == 1
    breaker.ready_ms(closed_at_ms + 10_000)
    assert breaker.openings == 0


def test_after_closing_calls_are_let_in_step_by_step() -> None:
    """One at once, one more with each success, until the number is so great that it bounds nothing."""
    breaker = opened()
    assert breaker.room() is None
    now_ms = close(breaker)
    rooms = [breaker.room()]
    for health in (Health.OK, Health.NEUTRAL, Health.LIMITED, Health.FAILED, Health.NONE, Health.OK):
        end_one(breaker, health, now_ms)
        rooms.append(breaker.room())
    assert rooms == [1, 2, 3, 3, 3, 3, 4]
    for _ in range(ROOM_ENOUGH):
        end_one(breaker, Health.OK, now_ms)
    assert breaker.room() is None


@pytest.mark.parametrize("health", list(Health))
def test_a_late_answer_changes_nothing(health: Health) -> None:
    """Calls that began before it opened neither open nor close it, nor free a probe's place."""
    breaker = Breaker(POLICY)
    late = breaker.admit(NOW_MS)
    for _ in range(5):
        end_one(breaker, Health.FAILED, NOW_MS)
    for state in (BreakerState.OPEN, BreakerState.HALF_OPEN):
        if state is BreakerState.HALF_OPEN:
            breaker.admit(NOW_MS + 10_000)
        before = (state, breaker.generation, breaker.open_until_ms, breaker.openings, breaker.ready_ms(NOW_MS + 10_000))
        assert [breaker.ended(late, health, NOW_MS + 10_000) for _ in range(9)] == [False] * 9
        breaker.abandoned(late)
        after = (breaker.state, breaker.generation, breaker.open_until_ms, breaker.openings)
        assert (*after, breaker.ready_ms(NOW_MS + 10_000)) == before


def test_a_probe_that_came_to_nothing_gives_its_place_back() -> None:
    """Whether it was abandoned or said nothing; and giving back twice makes no second place."""
    breaker, now_ms = opened(), NOW_MS + 10_000
    for give_back in (breaker.abandoned, lambda probe: breaker.ended(probe, Health.NONE, now_ms)):
        probe = breaker.admit(now_ms)
        assert breaker.ready_ms(now_ms) is None
        give_back(probe)
        give_back(probe)
        assert (breaker.state, breaker.ready_ms(now_ms)) == (BreakerState.HALF_OPEN, now_ms)
    breaker.admit(now_ms)
    assert breaker.ready_ms(now_ms) is None


def test_another_shards_breaker_opens_this_one() -> None:
    """It opens or stays open for longer, never shorter, and never longer than its own bound."""
    breaker = Breaker(POLICY)
    late = breaker.admit(NOW_MS)
    assert breaker.force_open(NOW_MS + 20_000, NOW_MS)
    assert (breaker.state, breaker.open_until_ms, breaker.openings) == (BreakerState.OPEN, NOW_MS + 20_000, 1)
    assert not breaker.ended(late, Health.OK, NOW_MS)
    assert not breaker.force_open(NOW_MS + 15_000, NOW_MS)
    assert breaker.force_open(NOW_MS + 10**9, NOW_MS)
    assert breaker.open_until_ms == NOW_MS + 60_000
    assert not Breaker(POLICY).force_open(NOW_MS, NOW_MS)
    closed_at_ms = close(breaker)
    breaker.ready_ms(closed_at_ms + 59_999)
    assert breaker.openings == 1, "it is forgiven after as long as it was made to be open"
    breaker.ready_ms(closed_at_ms + 60_000)
    assert breaker.openings == 0


def test_a_half_open_breaker_opens_with_another_shards() -> None:
    """Its probes are late then, and its own openings are not forgotten."""
    breaker, now_ms = opened(), NOW_MS + 30_000
    end_one(breaker, Health.FAILED, NOW_MS + 10_000)
    probe = breaker.admit(now_ms)
    assert breaker.force_open(now_ms + 5_000, now_ms)
    assert not breaker.ended(probe, Health.OK, now_ms)
    assert (breaker.state, breaker.openings, breaker.ready_ms(now_ms)) == (BreakerState.OPEN, 2, now_ms + 5_000)


def test_an_operator_closes_it() -> None:
    """The openings are forgotten, and what waits is still let in step by step."""
    breaker = opened()
    breaker.reset(NOW_MS + 1)
    assert (breaker.state, breaker.openings, breaker.room()) == (BreakerState.CLOSED, 0, 1)


def test_a_reset_of_a_closed_breaker_forgets_failures_only() -> None:
    """A healthy lane is not slowed down by it."""
    breaker = Breaker(POLICY)
    for _ in range(4):
        end_one(breaker, Health.FAILED, NOW_MS)
    breaker.reset(NOW_MS)
    assert breaker.room() is None
    assert not any(end_one(breaker, Health.FAILED, NOW_MS) for _ in range(4))


def test_a_changed_policy_holds_from_then_on() -> None:
    """An opening that lasts is cut to a new bound; failures are judged by the new thresholds."""
    breaker = opened()
    breaker.change(BreakerPolicy(open_most_ms=2_000))
    assert breaker.ready_ms(NOW_MS + 100) == NOW_MS + 2_100
    closed = Breaker(POLICY)
    assert not end_one(closed, Health.FAILED, NOW_MS)
    closed.change(BreakerPolicy(failures_in_row=2))
    assert end_one(closed, Health.FAILED, NOW_MS)
    other = Breaker(POLICY)
    end_one(other, Health.FAILED, NOW_MS)
    other.change(BreakerPolicy(failures_in_row=2, window_ms=1_000))
    assert not end_one(other, Health.FAILED, NOW_MS), "another window begins with no failures"


@pytest.mark.parametrize("open_for_ms", [30_000, 0, -(10**9)])
def test_a_restored_breaker_is_open_and_then_half_open(open_for_ms: int) -> None:
    """It goes on where another worker's was, and its next opening is longer than that one's last."""
    breaker = Breaker(POLICY)
    breaker.restore(NOW_MS + open_for_ms, 2, NOW_MS)
    ready_ms = NOW_MS + max(0, open_for_ms)
    assert (breaker.state, breaker.ready_ms(NOW_MS)) == (BreakerState.OPEN, ready_ms)
    assert end_one(breaker, Health.FAILED, ready_ms)
    assert (breaker.openings, breaker.open_until_ms) == (3, ready_ms + 40_000)


def test_a_restored_breaker_is_forgiven_as_late_as_the_other_would_have_been() -> None:
    """Its last opening is known by its number: the second one lasted twenty seconds."""
    breaker = Breaker(POLICY)
    breaker.restore(NOW_MS, 2, NOW_MS)
    closed_at_ms = close(breaker)
    breaker.ready_ms(closed_at_ms + 19_999)
    assert breaker.openings == 2
    breaker.ready_ms(closed_at_ms + 20_000)
    assert breaker.openings == 0


def test_a_restored_breaker_without_openings_is_closed() -> None:
    """And one from a wrong clock, or a broken record, is open for no longer than the bound."""
    breaker = Breaker(POLICY)
    breaker.restore(NOW_MS + 5_000, 0, NOW_MS)
    assert breaker.state is BreakerState.CLOSED
    breaker.restore(NOW_MS + 10**10, 2**32 - 1, NOW_MS)
    assert breaker.ready_ms(NOW_MS) == NOW_MS + 60_000


@given(st.integers(0, 12_000), st.integers(1_001, 10**10))
def test_a_clock_that_is_set_back_makes_nobody_wait_longer(passed_ms: int, back_ms: int) -> None:
    """The rest of an opening stays what it was."""
    breaker, now_ms = opened(), NOW_MS + passed_ms
    ready_ms = breaker.ready_ms(now_ms)
    again_ms = breaker.ready_ms(now_ms - back_ms)
    assert ready_ms is not None
    assert again_ms == ready_ms - back_ms


def test_a_breaker_tells_its_state() -> None:
    """The repr shows state, generation and openings; closed calls share one permit."""
    breaker = opened()
    assert repr(breaker) == "<Breaker open generation=1 openings=1>"
    assert Breaker(POLICY).admit(NOW_MS) == Permit(0, probe=False)
