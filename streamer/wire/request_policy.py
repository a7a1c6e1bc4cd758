"""A request record's ``retry`` as the core's retry policy, within the operator's limits."""

from __future__ import annotations

from functools import lru_cache

from streamer.core.codes import Codes, parse_codes
from streamer.core.duration import format_duration, parse_duration_ms
from streamer.core.policy import Fill
from streamer.core.request import Backoff, RetryPolicy
from streamer.wire.limits import Limits
from streamer.wire.request_model import BackoffRecord, RetryRecord
from streamer.wire.unreadable import UnreadableRecord


def filled_retry(fill: Fill, limits: Limits) -> RetryPolicy:
    """Return the retry policy of a task that brings none."""
    codes = fill.retry_codes, fill.fatal_codes
    if codes == (None, None):
        if fill.retry is None:
            return limits.retry
        codes = limits.retry.retry_codes, limits.retry.fatal_codes
    retry = fill.retry or limits.retry
    return RetryPolicy(retry.intervals_ms, retry.backoff, retry.max_attempts, *codes)


def read_policy(record: RetryRecord, limits: Limits, default: RetryPolicy) -> RetryPolicy:
    """Return the policy; ``max_attempts`` beside intervals cuts them short, and cannot lengthen them.

    Codes are the default's where the record names none, and never a mixture of both.
    """
    if record.intervals is not None and record.backoff is not None:
        raise UnreadableRecord("retry", "retry takes intervals or backoff, not both")
    intervals_ms, backoff, attempts = default.intervals_ms, default.backoff, default.max_attempts
    if record.backoff is not None:
        intervals_ms, backoff, attempts = None, _backoff(record.backoff, limits), limits.backoff_attempts
    elif record.intervals is not None:
        intervals_ms, backoff = tuple([_interval(item, limits) for item in record.intervals]), None
    if intervals_ms is not None:
        intervals_ms = _cut(intervals_ms, record.max_attempts)
        attempts = len(intervals_ms) + 1
    elif record.max_attempts is not None:
        attempts = _attempts(record.max_attempts, limits)
    if attempts is not None and attempts - 1 > limits.retries:
        name = "retry.intervals" if intervals_ms is not None else "retry.max_attempts"
        raise UnreadableRecord(name, f"{name} asks for {attempts - 1} retries; at most {limits.retries} are allowed")
    retry_codes = read_codes("retry.retry_codes", record.retry_codes)
    fatal_codes = read_codes("retry.fatal_codes", record.fatal_codes)
    if retry_codes is None and fatal_codes is None:
        retry_codes, fatal_codes = default.retry_codes, default.fatal_codes
    return RetryPolicy(
        intervals_ms=intervals_ms,
        backoff=backoff,
        max_attempts=attempts,
        retry_codes=retry_codes,
        fatal_codes=fatal_codes,
    )


def read_codes(field: str, items: list[int | str] | None) -> Codes | None:
    """Return a set of status codes; an empty list says nothing."""
    if not items:
        return None
    try:
        return _codes(tuple(items))
    except ValueError as error:
        raise UnreadableRecord(field, f"{field}: {error}") from None


def read_wait(field: str, value: int | str, limits: Limits) -> int:
    """Return a duration in ms, within the horizon."""
    try:
        wait_ms = _duration(value)
    except ValueError as error:
        raise UnreadableRecord(field, f"{field}: {error}") from None
    if wait_ms > limits.horizon_ms:
        raise UnreadableRecord(
            field, f"{field} is {wait_ms} ms; at most {format_duration(limits.horizon_ms)} is allowed"
        )
    return wait_ms


_codes = lru_cache(maxsize=1024)(parse_codes)
_duration = lru_cache(maxsize=1024)(parse_duration_ms)


def _interval(item: int | str, limits: Limits) -> int:
    return read_wait("retry.intervals", item, limits)


def _cut(intervals_ms: tuple[int, ...], attempts: int | str | None) -> tuple[int, ...]:
    if attempts is None:
        return intervals_ms
    most = len(intervals_ms) + 1
    if not isinstance(attempts, int) or attempts > most:
        raise UnreadableRecord(
            "retry.max_attempts",
            f"retry.max_attempts is {attempts}, but the intervals make {most} attempts; use backoff for more",
        )
    return intervals_ms[: attempts - 1]


def _attempts(written: int | str, limits: Limits) -> int | None:
    if isinstance(written, int):
        return written
    if not limits.unlimited_attempts:
        raise UnreadableRecord(
            "retry.max_attempts",
            f'retry.max_attempts "unlimited" is not allowed here; write 1 to {limits.retries + 1}',
        )
    return None


def _backoff(record: BackoffRecord, limits: Limits) -> Backoff:
    default = limits.backoff
    initial_ms = default.initial_ms
    if record.initial is not None:
        initial_ms = read_wait("retry.backoff.initial", record.initial, limits)
    if initial_ms < 1:
        raise UnreadableRecord("retry.backoff.initial", "retry.backoff.initial must be at least 1 ms")
    max_ms = max(default.max_ms, initial_ms)
    if record.max is not None:
        max_ms = read_wait("retry.backoff.max", record.max, limits)
    if max_ms < initial_ms:
        raise UnreadableRecord("retry.backoff.max", f"retry.backoff.max must be at least initial, {initial_ms} ms")
    return Backoff(
        initial_ms=initial_ms,
        multiplier=default.multiplier if record.multiplier is None else record.multiplier,
        max_ms=max_ms,
        jitter=default.jitter if record.jitter is None else record.jitter,
    )
