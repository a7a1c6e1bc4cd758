"""The invariants that a run is held to, by name; reports and planted bugs speak of them."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Rule(StrEnum):
    """What must never happen; the value is the sentence that reports print."""

    LOST = "an accepted task never came to an end"
    UNANSWERED = "a command was never answered"
    DOUBLE_END = "one generation ended twice, differently, though its first end was known"
    PHANTOM_SUCCESS = "told as succeeded without a good answer"
    HIDDEN_SUCCESS = "answered well, told as ended otherwise, though nobody died"
    EARLY = "sent before it was due"
    EXPIRED_SENT = "sent after its time was over"
    AFTER_END = "sent after its end, its cancel or a newer generation"
    TWO_TASKS = "two request records became one task's first pass"
    SENT_TWICE = "sent again without a crash, a cut-off or an overlong drain in between"
    ATTEMPT_SKIPPED = "an attempt was sent, and the one before it never"
    ATTEMPT_BACK = "an attempt was sent whose end was on record"
    WAIT_COUNTED = "ended as exhausted before all its attempts were sent"
    OUR_FAULT = "dead-lettered without a target's failure"
    STATE_FIRST = "an entry was written before what follows from it"
    OFFSET_OVERRUN = "an offset was committed past a record that was not done"
    OFFSET_BACK = "a committed offset went back"
    NOT_OWNER = "sent or written by one who did not own the partition"
    RATE = "a lane was sent faster than its rate"
    CROWDED = "more calls of a lane were on the wire at once than allowed"
    PAUSE = "sent before the pause was over that the target had asked for"
    BREAKER = "sent while the breaker had to be open"
    FORGOTTEN = "an entry was forgotten that still guarded something"


class Violation(Struct, frozen=True):
    """A rule broken: when (ms from the beginning), by what, and the task concerned, if one is."""

    rule: Rule
    at_ms: int
    what: str
    task_id: str | None = None

    def __str__(self) -> str:
        return f"{self.rule.name} at {self.at_ms} ms: {self.rule.value}: {self.what}"
