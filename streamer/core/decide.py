"""What happens after an attempt: the task ends, or another attempt is due.

Must not know who writes the decision, nor which tier a wait goes onto.
"""

from __future__ import annotations

from streamer.core.delivery import Delivery
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome
from streamer.core.retry import next_retry_at
from streamer.core.verdict import Decision, Finish, Judgement, RetryAt

#: Reasons of an end that are not the error type of the last attempt.
DELIVERED, EXHAUSTED, EXPIRED, GAVE_UP = "delivered", "exhausted", "expired", "gave_up"


def decide(delivery: Delivery, judgement: Judgement, now_ms: int, unit: float, not_before_ms: int = 0) -> Decision:
    """Return what follows from ``judgement`` on the attempt that ``delivery.attempt`` numbers.

    ``not_before_ms`` raises the due time of a retry. The rule is always the judgement's; the reason tells why
    an attempt that was worth another one was the last.
    """
    if judgement.outcome is Outcome.SUCCESS:
        return Finish(State.SUCCEEDED, DELIVERED, judgement.rule)
    if not judgement.retryable:
        return Finish(State.FAILED, (judgement.error_type or judgement.outcome).value, judgement.rule)
    due_at_ms = next_retry_at(delivery.request.retry, delivery.attempt, now_ms, unit)
    if due_at_ms is None:
        return Finish(State.FAILED, EXHAUSTED, judgement.rule)
    due_at_ms = max(due_at_ms, not_before_ms)
    if expired(delivery, due_at_ms):
        # Waiting for a time at which nothing would be sent only delays the answer.
        return Finish(State.EXPIRED, EXPIRED, judgement.rule)
    return RetryAt(due_at_ms, judgement.rule)


def redecide(delivery: Delivery, planned: RetryAt, at_ms: int, now_ms: int, not_before_ms: int = 0) -> Decision:
    """Return what follows when the retry that ``decide`` planned is to begin at another time.

    No time is earlier than now, nor than ``not_before_ms``.
    """
    due_at_ms = max(at_ms, now_ms, not_before_ms)
    if expired(delivery, due_at_ms):
        return Finish(State.EXPIRED, EXPIRED, planned.rule)
    return RetryAt(due_at_ms, planned.rule)


def expired(delivery: Delivery, at_ms: int) -> bool:
    """Tell whether the task is no longer worth sending at ``at_ms``; at ``expires_at`` itself it is not."""
    expires_at_ms = delivery.request.expires_at_ms
    return expires_at_ms is not None and at_ms >= expires_at_ms
