"""The time of the next attempt, by a task's retry policy.

Must not know why the last attempt failed, nor tiers.
"""

from __future__ import annotations

from streamer.core.request import Backoff, RetryPolicy


def next_retry_at(policy: RetryPolicy, attempt: int, now_ms: int, unit: float) -> int | None:
    """Return when the attempt after ``attempt`` (from 1) is due, or None when the attempts are used up.

    Intervals are exact and their number is the number of retries; ``max_attempts`` and ``unit`` are for
    backoff. ``unit`` from [0, 1) is the chance that places a delay within its jitter.
    """
    if policy.intervals_ms is not None:
        if attempt > len(policy.intervals_ms):
            return None
        return now_ms + policy.intervals_ms[attempt - 1]
    if policy.backoff is None:
        raise ValueError("a retry policy needs intervals_ms or backoff, and has neither")
    if policy.max_attempts is not None and attempt >= policy.max_attempts:
        return None
    return now_ms + _spread_ms(_grown_ms(policy.backoff, attempt - 1), policy.backoff.jitter, unit)


def retries_left(policy: RetryPolicy, attempt: int) -> int | None:
    """Return how many attempts may follow ``attempt`` (from 1), None where their number has no bound."""
    if policy.intervals_ms is not None:
        return max(0, len(policy.intervals_ms) + 1 - attempt)
    return None if policy.max_attempts is None else max(0, policy.max_attempts - attempt)


def _grown_ms(backoff: Backoff, retries_before: int) -> float:
    try:
        grown_ms = backoff.initial_ms * backoff.multiplier**retries_before
    except OverflowError:
        # An unlimited task gets here: 2.0 ** 1024 is more than a float holds.
        return backoff.max_ms
    return min(grown_ms, backoff.max_ms)


def _spread_ms(delay_ms: float, jitter: float, unit: float) -> int:
    # Spread after the cap: tasks that have all grown to max_ms would otherwise come back at one instant.
    return max(0, round(delay_ms * (1 + jitter * (2 * unit - 1))))
