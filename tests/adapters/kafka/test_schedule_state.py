"""What a worker takes from `config` of schedules: records, cursors, tombstones, and what it cannot read."""

from __future__ import annotations

import json

import pytest

from streamer.adapters.calendar.cron import CronCalendar
from streamer.adapters.kafka.schedule_state import ScheduleState
from streamer.adapters.memory.meter import MemoryMeter
from streamer.core.schedule import Cursor
from streamer.wire.cursor_record import encode_cursor
from streamer.wire.limits import DEFAULT_LIMITS

NOW_MS = 1_800_000_000_000
KEY = "schedule:tick"


def record(every: str = "1m") -> bytes:
    """Return a schedule's record."""
    return json.dumps({"every": every, "request": {"url": "https://example.com"}}).encode()


@pytest.fixture
def meter() -> MemoryMeter:
    """Count what is refused."""
    return MemoryMeter()


@pytest.fixture
def state(meter: MemoryMeter) -> ScheduleState:
    """Return a state that nothing has been read into."""
    return ScheduleState(DEFAULT_LIMITS, CronCalendar(), meter, lambda: NOW_MS)


def test_a_schedule_and_its_cursor(state: ScheduleState) -> None:
    """Both are there, in whichever order they come; a cursor changes no revision."""
    cursor = Cursor("tick", "t", NOW_MS)
    state.take("fired:tick", encode_cursor(cursor), NOW_MS)
    assert state.book.revision == 0
    state.take(KEY, record(), NOW_MS - 5)
    assert state.book.schedules["tick"].set_at_ms == NOW_MS - 5
    assert state.book.cursor("tick") == cursor
    assert state.book.revision == 1


def test_a_clock_that_is_ahead_holds_nothing_up(state: ScheduleState) -> None:
    """A schedule written in the future, by its writer's clock, begins now."""
    state.take(KEY, record(), NOW_MS + 3_600_000)
    assert state.book.schedules["tick"].set_at_ms == NOW_MS


def test_the_same_record_again_changes_nothing(state: ScheduleState) -> None:
    """After a lost connection the topic is read from its beginning."""
    state.take(KEY, record(), NOW_MS)
    before = state.book.schedules["tick"]
    state.take(KEY, record(), NOW_MS)
    assert state.book.schedules["tick"] is before
    assert state.book.revision == 1


def test_tombstones(state: ScheduleState) -> None:
    """A removed schedule is gone with its cursor; so one of the same name begins anew."""
    state.take(KEY, record(), NOW_MS)
    state.take("fired:tick", encode_cursor(Cursor("tick", "t", NOW_MS)), NOW_MS)
    state.take(KEY, None, NOW_MS)
    assert (dict(state.book.schedules), state.book.cursor("tick"), state.book.revision) == ({}, None, 2)
    state.take("fired:tick", encode_cursor(Cursor("tick", "t", NOW_MS)), NOW_MS)
    state.take("fired:tick", None, NOW_MS)
    state.take(KEY, None, NOW_MS)
    assert (state.book.cursor("tick"), state.book.revision) == (None, 2)


def test_an_older_cursor_sets_nothing_back(state: ScheduleState) -> None:
    """A worker that no longer owns the schedule may write late; of another timing, the newer record counts."""
    for at_ms, timing in ((NOW_MS, "t"), (NOW_MS - 9, "t")):
        state.take("fired:tick", encode_cursor(Cursor("tick", timing, at_ms)), NOW_MS)
    assert state.book.cursor("tick") == Cursor("tick", "t", NOW_MS)
    state.take("fired:tick", encode_cursor(Cursor("tick", "u", NOW_MS - 9)), NOW_MS)
    assert state.book.cursor("tick") == Cursor("tick", "u", NOW_MS - 9)


@pytest.mark.parametrize(("key", "value"), [(KEY, b"{}"), ("fired:tick", b"{}"), ("schedule:a b", record())])
def test_what_cannot_be_read_changes_nothing(state: ScheduleState, meter: MemoryMeter, key: str, value: bytes) -> None:
    """What held before still holds; the refusal is counted by kind."""
    state.take(KEY, record(), NOW_MS)
    state.take("fired:tick", encode_cursor(Cursor("tick", "t", NOW_MS)), NOW_MS)
    state.take(key, value, NOW_MS)
    assert list(state.book.schedules) == ["tick"]
    assert state.book.cursor("tick") is not None
    assert meter.counted("config_records_refused", key.partition(":")[0]) == 1


class BrokenCalendar:
    """Stands for a bug of ours."""

    def next_after(self, cron: str, time_zone: str, after_ms: int) -> int | None:
        """Find nothing."""

    def check_cron(self, cron: str) -> None:
        """Take everything."""

    def check_zone(self, time_zone: str) -> None:
        """Fail."""
        raise ZeroDivisionError


def test_a_bug_stops_no_worker(meter: MemoryMeter) -> None:
    """A record that cannot be handled is refused as one that cannot be read."""
    state = ScheduleState(DEFAULT_LIMITS, BrokenCalendar(), meter, lambda: NOW_MS)
    state.take(KEY, record(), NOW_MS)
    assert dict(state.book.schedules) == {}
    assert meter.counted("config_records_refused", "schedule") == 1


def test_keys_of_other_kinds_are_passed_over(state: ScheduleState, meter: MemoryMeter) -> None:
    """They are not ours."""
    state.take("domain:example.com", b"{}", NOW_MS)
    assert (state.book.revision, meter.counted("config_records_refused")) == (0, 0)
