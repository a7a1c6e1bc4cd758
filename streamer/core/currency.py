"""The rule that makes duplicates harmless: only the current record of a task goes on.

Must not know how a record came, nor what is done with one that is not current.
"""

from __future__ import annotations

from enum import Enum

from streamer.core.delivery import Delivery
from streamer.core.entry import Entry
from streamer.core.lifecycle import State


class Currency(Enum):
    """What a record is, beside the entry of its task."""

    CURRENT = "current"
    NOT_CURRENT = "not_current"
    #: A first-seen record of a task that another request record began, with other content, or cancelled: answered, never silent.
    DUPLICATE = "duplicate"
    #: A first-seen record of a task that was cancelled before it was seen.
    CANCELLED_BEFORE = "cancelled_before"


def currency(delivery: Delivery, content: bytes, entry: Entry | None) -> Currency:
    """Judge a record by its task's entry (RULES 1, 25, 32).

    Only what intake or claim published may be the first of its task: a ``seen`` record without an entry belongs to a task
    that has ended and been forgotten. A first-seen record with an entry has been handled, since an entry is written only
    after what follows from its record; but one of a higher generation than that in which the task moved away is the task
    coming back from another lane (RULES 7). A record that was due before the entry says is a copy of an earlier wait: the one
    that the entry speaks of was written before it, and copies that all waited on would be more with each wait (RULES 9).
    """
    if entry is None:
        return Currency.NOT_CURRENT if delivery.seen else Currency.CURRENT
    if not delivery.seen:
        return _first_seen(delivery, content, entry)
    is_next = delivery.generation == entry.generation and delivery.attempt == entry.attempt + 1
    waited_before = delivery.due_at_ms // 1000 < entry.due_s
    return Currency.CURRENT if is_next and not entry.terminal and not waited_before else Currency.NOT_CURRENT


def _first_seen(delivery: Delivery, content: bytes, entry: Entry) -> Currency:
    if entry.pre_entry:
        return Currency.CANCELLED_BEFORE
    if entry.moved and delivery.generation > entry.generation:
        return Currency.CURRENT
    origin = delivery.origin
    if (origin.partition, origin.offset) == (entry.request_partition, entry.request_offset):
        return Currency.NOT_CURRENT
    if content != entry.content or entry.state is State.CANCELLED:
        return Currency.DUPLICATE
    return Currency.NOT_CURRENT
