"""Recurring schedules: their instants, what is due, misfires, and no instant doubled or missed over restarts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.lifecycle import TERMINAL, State
from streamer.core.schedule import (
    GRACE_MS,
    MOST_MISSED,
    UNSEEN_MS,
    Cursor,
    DueInstants,
    Misfire,
    Schedule,
    cursor_of,
    due_instants,
    next_instant,
    still_running,
)

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
START_MS = 1_800_000_000_000


def hourly(cron: str, time_zone: str, after_ms: int) -> int | None:
    """Stand for a cron that fires at each full hour."""
    return (after_ms // HOUR_MS + 1) * HOUR_MS


def a_schedule(**changed: Any) -> Schedule:
    """Return a schedule that fires every minute."""
    usual: dict[str, Any] = {"name": "report", "template": b"{}", "lane": "example.com", "set_at_ms": START_MS}
    return Schedule(**{"every_ms": MINUTE_MS, **usual, **changed})


def test_every_counts_from_the_epoch() -> None:
    """Without a start, instants are multiples of the interval, so that no drift can come in."""
    assert next_instant(a_schedule(every_ms=7_000), 13_999, hourly) == 14_000
    assert next_instant(a_schedule(every_ms=7_000), 14_000, hourly) == 21_000


def test_every_counts_from_its_start() -> None:
    """With a start, it is the first instant, and the others follow from it."""
    schedule = a_schedule(every_ms=7_000, starts_at_ms=START_MS + 1)
    assert next_instant(schedule, 0, hourly) == START_MS + 1
    assert next_instant(schedule, START_MS, hourly) == START_MS + 1
    assert next_instant(schedule, START_MS + 1, hourly) == START_MS + 7_001


def test_cron_is_asked_from_the_start_on() -> None:
    """The first instant of a cron expression may be the start itself."""
    schedule = a_schedule(every_ms=None, cron="0 * * * *", starts_at_ms=5 * HOUR_MS)
    assert next_instant(schedule, 0, hourly) == 5 * HOUR_MS


def test_nothing_comes_after_the_end() -> None:
    """The end itself may be an instant; after it there is none."""
    schedule = a_schedule(ends_at_ms=START_MS + MINUTE_MS)
    assert next_instant(schedule, START_MS, hourly) == START_MS + MINUTE_MS
    assert next_instant(schedule, START_MS + MINUTE_MS, hourly) is None


def test_a_cron_without_a_next_instant_has_none() -> None:
    """A calendar that finds nothing is believed."""
    schedule = a_schedule(every_ms=None, cron="0 0 30 2 *")
    assert next_instant(schedule, START_MS, lambda *_: None) is None
    assert due_instants(schedule, 0, START_MS, lambda *_: None) == DueInstants((), misfired=False)


@pytest.mark.parametrize("misfire", Misfire)
def test_within_the_grace_every_instant_is_fired(misfire: Misfire) -> None:
    """A restart is no misfire, whatever the rule."""
    schedule = a_schedule(every_ms=10_000, misfire=misfire)
    due = due_instants(schedule, START_MS, START_MS + GRACE_MS, hourly)
    assert due == DueInstants(tuple(range(START_MS + 10_000, START_MS + GRACE_MS + 1, 10_000)), misfired=False)


@pytest.mark.parametrize(("misfire", "missed"), [(Misfire.SKIP, 0), (Misfire.ONCE, 1), (Misfire.ALL, 8)])
def test_what_was_missed_follows_the_rule(misfire: Misfire, missed: int) -> None:
    """Of the instants before the grace none is fired, the newest, or all; those within it are fired all the same."""
    schedule = a_schedule(misfire=misfire)
    due = due_instants(schedule, START_MS, START_MS + 9 * MINUTE_MS + 1, hourly)
    assert due.misfired
    assert due.instants == tuple(START_MS + n * MINUTE_MS for n in range(9 - missed, 10))


def test_all_is_bounded() -> None:
    """After a year of one instant a second the newest hundred are fired, and found without going through the others."""
    asked = 0

    def counted(cron: str, time_zone: str, after_ms: int) -> int | None:
        nonlocal asked
        asked += 1
        return (after_ms // 1_000 + 1) * 1_000

    schedule = a_schedule(every_ms=None, cron="* * * * *", misfire=Misfire.ALL)
    now_ms = START_MS + 365 * 24 * HOUR_MS
    due = due_instants(schedule, START_MS, now_ms, counted)
    assert len(due.instants) == MOST_MISSED + GRACE_MS // 1_000
    assert due.instants == tuple(range(due.instants[0], now_ms + 1, 1_000))
    assert asked < 500


def test_a_rare_instant_is_found_far_back() -> None:
    """The one instant that was missed is found, however long ago it was."""
    schedule = a_schedule(every_ms=30 * 24 * HOUR_MS, starts_at_ms=START_MS)
    due = due_instants(schedule, START_MS - 1, START_MS + 29 * 24 * HOUR_MS, hourly)
    assert due == DueInstants((START_MS,), misfired=True)


def test_a_new_schedule_begins_at_its_writing() -> None:
    """Nothing is fired of the time before it was written."""
    schedule = a_schedule()
    assert cursor_of(schedule, None, None) == Cursor("report", schedule.timing, START_MS)


def test_a_schedule_goes_on_where_it_was_left() -> None:
    """Another request, lane or rule does not make it begin anew; what has come farther counts."""
    before = a_schedule()
    changed = replace(before, template=b'{"url":""}', lane="other.example", misfire=Misfire.ALL, set_at_ms=START_MS + 9)
    behind, ahead = Cursor("report", before.timing, 5), Cursor("report", before.timing, 7, 7, 8)
    assert cursor_of(changed, ahead, behind) is ahead
    assert cursor_of(changed, behind, ahead) is ahead


@pytest.mark.parametrize(
    "change",
    [{"every_ms": 5_000}, {"time_zone": "Europe/Zurich"}, {"paused": True}, {"starts_at_ms": 3}, {"ends_at_ms": 3}],
    ids=str,
)
def test_a_changed_timing_begins_anew(change: dict[str, Any]) -> None:
    """Instants of a timing that did not hold yet are no misfires; what was fired last is still known."""
    left = Cursor("report", a_schedule().timing, START_MS - 5, START_MS - 7, START_MS - 6)
    changed = a_schedule(**change)
    assert cursor_of(changed, left) == Cursor("report", changed.timing, START_MS, START_MS - 7, START_MS - 6)


def test_a_changed_timing_never_goes_back() -> None:
    """A record with an old timestamp does not fire again what was fired."""
    left = Cursor("report", "other", START_MS + 5)
    assert cursor_of(a_schedule(), left).at_ms == START_MS + 5


@pytest.mark.parametrize("state", State)
def test_a_task_runs_until_it_has_ended(state: State) -> None:
    """By its state in the table."""
    assert still_running(state, 0, START_MS) is (state not in TERMINAL)


def test_a_task_that_is_not_there_has_not_been_seen_yet_or_was_forgotten() -> None:
    """For an hour after the firing it counts as running; entries of ended tasks are kept that long."""
    assert still_running(None, START_MS, START_MS + UNSEEN_MS - 1)
    assert not still_running(None, START_MS, START_MS + UNSEEN_MS)


#: Of a wait of three minutes no more is missed than `all` fires.
every = st.integers(2_000, 5 * MINUTE_MS)
looks = st.lists(st.tuples(st.integers(0, 3 * MINUTE_MS), st.booleans()), max_size=30)


@given(every, st.none() | st.integers(-HOUR_MS, HOUR_MS), st.sampled_from(Misfire), looks)
def test_no_instant_is_missed_or_doubled(
    every_ms: int, start_ms: int | None, misfire: Misfire, looks: list[tuple[int, bool]]
) -> None:
    """Looked at whenever it may be, and restarted from an older cursor, each instant's id is fired once or misfired."""
    starts_at_ms = None if start_ms is None else START_MS + start_ms
    schedule = a_schedule(every_ms=every_ms, starts_at_ms=starts_at_ms, misfire=misfire)
    cursor = kept = cursor_of(schedule, None)
    now_ms, last_ms = START_MS, START_MS
    fired: list[int] = []
    for wait_ms, restarts in looks:
        now_ms += wait_ms
        cursor = kept if restarts else cursor
        due = due_instants(schedule, cursor.at_ms, now_ms, hourly)
        assert all(cursor.at_ms < instant <= now_ms for instant in due.instants)
        assert list(due.instants) == sorted(set(due.instants))
        fired += due.instants
        kept, cursor = cursor, replace(cursor, at_ms=now_ms)
        in_time = set(_all(schedule, max(last_ms, now_ms - GRACE_MS), now_ms))
        assert in_time <= set(fired)
        if misfire is Misfire.ALL:
            assert set(fired) == set(_all(schedule, START_MS, now_ms))
        last_ms = now_ms
    assert set(fired) <= set(_all(schedule, START_MS, now_ms))


def _all(schedule: Schedule, after_ms: int, until_ms: int) -> list[int]:
    """Return the instants of a span, counted out anew."""
    first_ms, step_ms = schedule.starts_at_ms or 0, schedule.every_ms or 1
    number = max(0, (after_ms - first_ms) // step_ms)
    found = []
    while (at_ms := first_ms + number * step_ms) <= until_ms:
        if at_ms > after_ms:
            found.append(at_ms)
        number += 1
    return found
