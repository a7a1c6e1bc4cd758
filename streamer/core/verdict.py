"""Names for what the core decides about an attempt: decisions are values of a closed set.

Must not know who carries a decision out.
"""

from __future__ import annotations

from msgspec import Struct

from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Outcome


class Judgement(Struct, frozen=True, gc=False):
    """An exchange put in its class: the outcome, its refinement, whether it is worth another attempt, and by which rule.

    ``detail`` is what people should know beside that. ``wait_ms`` is how long the receiver asked this one task to wait.
    """

    outcome: Outcome
    error_type: ErrorType | None
    retryable: bool
    rule: str
    detail: str | None = None
    wait_ms: int | None = None


def noted(judgement: Judgement, note: str) -> Judgement:
    """Return a judgement with one more thing that people should know."""
    detail = f"{judgement.detail}; {note}" if judgement.detail else note
    return Judgement(
        judgement.outcome, judgement.error_type, judgement.retryable, judgement.rule, detail, judgement.wait_ms
    )


class Finish(Struct, frozen=True, gc=False):
    """The task ends here, in ``state``; ``reason`` is one of a small set of words and stands in results and dead letters."""

    state: State
    reason: str
    rule: str


class RetryAt(Struct, frozen=True, gc=False):
    """Another attempt is due at ``due_at_ms`` (epoch ms, jitter included)."""

    due_at_ms: int
    rule: str


Decision = Finish | RetryAt
