"""Which record of a task may go on."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.core.currency import Currency, currency
from streamer.core.delivery import Delivery, Origin
from streamer.core.entry import MOVED, NO_PARTITION, PRE_ENTRY, Entry
from streamer.core.lifecycle import State
from tests.core.samples import NOW_MS, a_delivery

CONTENT = b"content."


def entry(attempt: int = 0, state: State = State.SCHEDULED, generation: int = 1, flags: int = 0) -> Entry:
    partition = NO_PARTITION if flags & PRE_ENTRY else 0
    return Entry(generation, 1, attempt, state, flags, 0, 0, CONTENT, 0, partition, 7)


def first(offset: int = 7) -> Delivery:
    return replace(a_delivery(), origin=Origin("requests", 0, offset, NOW_MS))


def again(attempt: int = 1, generation: int = 1) -> Delivery:
    return replace(a_delivery(attempt=attempt), seen=True, generation=generation)


@pytest.mark.parametrize(
    ("delivery", "found", "verdict"),
    [
        (first(), None, Currency.CURRENT),
        (again(), None, Currency.NOT_CURRENT),
        (again(1), entry(0), Currency.CURRENT),
        (again(2), entry(1, State.RETRYING), Currency.CURRENT),
        (again(1), entry(1, State.RETRYING), Currency.NOT_CURRENT),
        (again(3), entry(1, State.RETRYING), Currency.NOT_CURRENT),
        (again(2), entry(1, State.SUCCEEDED), Currency.NOT_CURRENT),
        (again(1, generation=1), entry(0, generation=2), Currency.NOT_CURRENT),
        (again(1, generation=2), entry(0, generation=1), Currency.NOT_CURRENT),
        (first(), entry(0), Currency.NOT_CURRENT),
        (first(), entry(1, State.CANCELLED), Currency.NOT_CURRENT),
        (first(8), entry(0), Currency.NOT_CURRENT),
        (first(8), entry(1, State.CANCELLED), Currency.DUPLICATE),
        (first(), entry(0, State.CANCELLED, flags=PRE_ENTRY), Currency.CANCELLED_BEFORE),
    ],
)  # fmt: skip
def test_verdict(delivery: Delivery, found: Entry | None, verdict: Currency) -> None:
    """RULES 1, 25, 32: by generation, attempt, origin, and whether intake or deliver published the record."""
    assert currency(delivery, CONTENT, found) is verdict


def test_copy_of_an_earlier_wait_is_not_current() -> None:
    """RULES 9: of a wait that was written twice only what the entry speaks of goes on; a copy would wait anew, and double again."""
    waits_until_s = NOW_MS // 1000 + 60
    waiting = replace(entry(1, State.RETRYING), due_s=waits_until_s)
    verdicts = {
        due_ms: currency(replace(again(2), due_at_ms=due_ms), CONTENT, waiting)
        for due_ms in (NOW_MS, waits_until_s * 1000 - 1, waits_until_s * 1000, waits_until_s * 1000 + 999)
    }
    assert list(verdicts.values()) == [Currency.NOT_CURRENT] * 2 + [Currency.CURRENT] * 2


def test_other_content_under_the_same_id_is_a_duplicate() -> None:
    """RULES 32: another request record with other content is answered; the same record never is."""
    assert currency(first(8), b"other...", entry(1, State.SUCCEEDED)) is Currency.DUPLICATE
    assert currency(first(7), b"other...", entry(1, State.SUCCEEDED)) is Currency.NOT_CURRENT


def test_only_one_attempt_is_current_at_any_time() -> None:
    """Whatever an open entry says, exactly the next attempt of its generation goes on."""
    open_entry = entry(3, State.RETRYING, generation=2)
    current = [
        (generation, attempt)
        for generation in range(4)
        for attempt in range(1, 7)
        if currency(again(attempt, generation), CONTENT, open_entry) is Currency.CURRENT
    ]
    assert current == [(2, 4)]


@pytest.mark.parametrize(
    ("generation", "verdict"),
    [(1, Currency.NOT_CURRENT), (2, Currency.NOT_CURRENT), (3, Currency.CURRENT), (9, Currency.CURRENT)],
)
def test_task_that_comes_back_is_current_by_its_higher_generation(generation: int, verdict: Currency) -> None:
    """RULES 7: of first passes into a lane that the task has left, only one that was made after it left goes on."""
    left = entry(0, State.CANCELLED, generation=2, flags=MOVED)
    assert currency(replace(first(), generation=generation), b"other...", left) is verdict


def test_other_first_pass_of_a_task_that_moved_away_is_a_duplicate() -> None:
    """RULES 32: another request record under the id of a task that lives elsewhere is answered."""
    assert currency(first(8), CONTENT, entry(0, State.CANCELLED, generation=2, flags=MOVED)) is Currency.DUPLICATE


def test_higher_generation_alone_lets_no_first_pass_in() -> None:
    """Only a task that has moved away can come back: an entry that ended otherwise stays the end."""
    cancelled = entry(0, State.CANCELLED, generation=2)
    assert currency(replace(first(), generation=3), CONTENT, cancelled) is Currency.NOT_CURRENT


def test_first_seen_record_that_a_command_preceded_is_not_current() -> None:
    """RULES 25: an update read before its task has become the task; the record that began it is not sent as well."""
    updated = entry(0, State.PENDING, generation=2)
    assert currency(first(), b"other...", updated) is Currency.NOT_CURRENT
    assert currency(first(8), b"other...", updated) is Currency.DUPLICATE
