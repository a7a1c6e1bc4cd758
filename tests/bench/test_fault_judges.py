"""What the cases of the fault harness judge by: due times against arrivals, and calls into an opening of a breaker."""

from __future__ import annotations

from typing import Any

import pytest

from bench.faults.breakers import breaches
from bench.faults.lateness import lateness
from bench.faults.target import Hit
from streamer.wire.instants import format_instant
from tests.support.arrival_log import LoggedArrival

_AT_MS = 1_732_291_200_000


def told(attempt: int, due_at_ms: int | None, *, made: bool, final: bool = False) -> dict[str, Any]:
    """Return a record of results: of an attempt that was made, or of a wait before one."""
    why = {} if due_at_ms is None else {"due_at": format_instant(due_at_ms)}
    result: dict[str, Any] = {"task_id": "t", "attempt": attempt, "final": final, "why": why}
    return {**result, "started_at": format_instant(_AT_MS)} if made else result


def call(attempt: int, at_ms: int) -> LoggedArrival:
    """Return a call of the task."""
    return LoggedArrival(at_ms * 1_000_000, at_ms, "t", attempt, "/", 200)


def test_a_scheduled_call_is_compared_with_its_own_due_time() -> None:
    """A deferral names the attempt that waits."""
    late = lateness([told(1, _AT_MS, made=False)], [call(1, _AT_MS + 7)])
    assert late.ordered_ms == (7,)


def test_a_retry_is_compared_with_what_the_attempt_before_it_told() -> None:
    """An attempt that failed names the time of the next one."""
    late = lateness([told(1, _AT_MS, made=True)], [call(1, _AT_MS - 900), call(2, _AT_MS - 3)])
    assert late.ordered_ms == (-3,)
    assert late.early == 1


def test_the_first_call_and_the_first_time_count() -> None:
    """A call that is sent again later hides no early one, and a later deferral excuses none."""
    waits = [told(1, _AT_MS, made=False), told(1, _AT_MS + 9_000, made=False)]
    late = lateness(waits, [call(1, _AT_MS + 20), call(1, _AT_MS + 30)])
    assert late.ordered_ms == (20,)
    assert late.most_ms == 20


def test_an_end_and_a_task_that_never_came_are_no_waits() -> None:
    """What was not called has no lateness: others count it as lost."""
    late = lateness([told(1, None, made=True, final=True), told(2, _AT_MS, made=False)], [call(1, _AT_MS)])
    assert late.ordered_ms == ()
    assert str(late) == "no call had to wait"


def hits(*pairs: tuple[float, bool]) -> list[Hit]:
    """Return calls by instant and answer."""
    return [Hit(at_s, good) for at_s, good in pairs]


def test_a_call_into_an_opening_is_found() -> None:
    """The fifth failure in a row opens it; what comes before the opening is over is told by how much."""
    row = [(number / 10, False) for number in range(5)]
    assert breaches(hits(*row, (1.0, True)), 1.0) == pytest.approx([0.4])
    assert breaches(hits(*row, (1.5, True)), 1.0) == []


def test_a_failed_probe_opens_again() -> None:
    """Each further failure of the row begins an opening of its own."""
    row = [(number / 10, False) for number in range(5)]
    assert breaches(hits(*row, (1.5, False), (1.9, False)), 1.0) == pytest.approx([0.6])


def test_a_success_ends_the_row() -> None:
    """Four failures, a success and four failures open nothing."""
    pattern = [False] * 4 + [True] + [False] * 4 + [True]
    assert breaches(hits(*[(number / 100, good) for number, good in enumerate(pattern)]), 1.0) == []
