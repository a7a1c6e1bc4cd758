"""The installation's caps on what policies may ask for a task: told when a policy is written, kept when it is read."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from streamer.core.policy import Policy
from streamer.core.request import RetryPolicy
from streamer.wire.limits import Limits
from streamer.wire.unreadable import UnreadableRecord


def check_caps(policy: Policy, limits: Limits) -> None:
    """Raise UnreadableRecord where a policy asks for more than the installation allows a task."""
    if policy.timeout_ms is not None and policy.timeout_ms > limits.timeout_cap_ms:
        raise UnreadableRecord(
            "timeout_ms", f"timeout_ms is {policy.timeout_ms}; at most {limits.timeout_cap_ms} is allowed"
        )
    if policy.retry is None:
        return
    attempts, most = policy.retry.max_attempts, limits.retries + 1
    if attempts is None:
        if not limits.unlimited_attempts:
            raise UnreadableRecord(
                "retry.max_attempts", f'retry.max_attempts "unlimited" is not allowed here; write 1 to {most}'
            )
    elif attempts > most:
        raise UnreadableRecord("retry", f"retry asks for {attempts - 1} retries; at most {most - 1} are allowed")


def within_caps(policy: Policy, limits: Limits) -> Policy:
    """Return the policy with no more than the installation allows a task."""
    timeout_ms, retry = policy.timeout_ms, policy.retry
    if timeout_ms is not None:
        timeout_ms = min(timeout_ms, limits.timeout_cap_ms)
    if retry is not None:
        retry = _capped(retry, limits)
    return replace(policy, timeout_ms=timeout_ms, retry=retry)


def _capped(retry: RetryPolicy, limits: Limits) -> RetryPolicy:
    attempts, most = retry.max_attempts, limits.retries + 1
    if attempts is None and limits.unlimited_attempts:
        return retry
    intervals_ms = retry.intervals_ms if retry.intervals_ms is None else retry.intervals_ms[: limits.retries]
    return structs.replace(retry, intervals_ms=intervals_ms, max_attempts=min(attempts or most, most))
