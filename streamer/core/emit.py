"""What a stage wants written: a closed set of values, each of which becomes one record.

Must not know topics, keys or encodings.
"""

from __future__ import annotations

from msgspec import Struct

from streamer.core.delivery import Delivery, Origin
from streamer.core.figures import LaneFigures
from streamer.core.identity import event_id
from streamer.core.lifecycle import TERMINAL, State
from streamer.core.outcome import ErrorType, Exchange, Outcome
from streamer.core.schedule import Cursor


class Because(Struct, frozen=True, gc=False):
    """The *why* of a decision, as people read it: the class, the rule that matched, what was chosen, who decided."""

    rule: str
    decided_by: str
    reason: str | None = None
    tier: str | None = None
    due_at_ms: int | None = None
    detail: str | None = None


class ResultOf(Struct, frozen=True, gc=False):
    """One attempt, or one decision without an attempt, for ``results``.

    ``attempt`` is the number of the attempt made, or of the next one where none was made. ``exchange`` is there for an
    attempt only. ``state`` is the task's state after it, or None where the result says nothing of the task, as for a
    duplicate; the result is final when that state is terminal. ``lane`` is the one that a command named: no record has it,
    but whoever is told of a cancelled task wants to know its domain.
    """

    task_id: str
    business: str
    business_id: str | None
    generation: int
    attempt: int
    outcome: Outcome
    error_type: ErrorType | None
    state: State | None
    because: Because
    at_ms: int
    origin: Origin | None = None
    delivery: Delivery | None = None
    exchange: Exchange | None = None
    command_id: str | None = None
    lane: str | None = None

    @property
    def final(self) -> bool:
        """Tell whether the task's generation ends with this result."""
        return self.state in TERMINAL

    @property
    def event_id(self) -> str:
        """The id by which a consumer knows the same result written twice."""
        salt = f"{self.command_id or ''}/{self.because.reason or ''}"
        if self.outcome is Outcome.DEFERRED:
            # A wait that moves is another event of the same attempt, and must not look like a repeat.
            salt = f"{salt}@{self.because.due_at_ms}"
        return event_id(self.task_id, self.generation, self.attempt, self.outcome, salt)


class FirstPass(Struct, frozen=True, gc=False):
    """An accepted task on its way into its lane (topic ``deliveries``)."""

    delivery: Delivery


class Claim(Struct, frozen=True, gc=False):
    """An accepted task whose id or business id must first be claimed (topic ``claims``); ``key`` is the claim's digest."""

    key: bytes
    content: bytes
    delivery: Delivery


class Due(Struct, frozen=True, gc=False):
    """A task that may be sent now (topic ``due``), in the partition of its lane."""

    delivery: Delivery
    partition: int | None = None


class Held(Struct, frozen=True, gc=False):
    """A delivery laid on a tier until ``release_at_ms``, in the partition it came from."""

    delivery: Delivery
    tier: str
    release_at_ms: int
    partition: int | None = None


class DeadLetterOf(Struct, frozen=True, gc=False):
    """A task we stopped trying, whole, with the reason and the last result."""

    delivery: Delivery
    reason: str
    last: ResultOf
    at_ms: int


class UnreadableOf(Struct, frozen=True, gc=False):
    """A record that no task could be made of: its bytes as they came, and what is wrong with which field."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    field: str | None
    reason: str
    at_ms: int


class LaneSignal(Struct, frozen=True, gc=False):
    """What one shard of a lane tells another: do not send before these instants (RULES 23); topic ``control``."""

    lane: str
    shard: int
    partition: int
    paused_until_ms: int
    open_until_ms: int
    at_ms: int


class Firing(Struct, frozen=True, gc=False):
    """A recurring schedule's instant has come: a request on ``requests``, whose id derives from schedule and instant.

    ``template`` is the schedule's request, as its owner wrote it: JSON bytes.
    """

    schedule: str
    instant_ms: int
    template: bytes


Emit = (
    ResultOf | FirstPass | Claim | Due | Held | DeadLetterOf | UnreadableOf | LaneSignal | Firing | LaneFigures | Cursor
)
