"""What holds for a domain and why, as text for people: each value with the policy that says it.

Must not know how it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from streamer.core.codes import Codes
from streamer.core.duration import format_duration
from streamer.core.policy import FOREVER_MS, BreakerPolicy, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.policy_merge import lane_limits, said_limits, said_values
from streamer.core.rate import usual_burst
from streamer.core.request import RetryPolicy


@dataclass(frozen=True, slots=True)
class Line:
    """One value that holds: its field, the value as text, and who says it.

    ``until_ms`` is the end of a pause, which whoever prints it writes as an instant.
    """

    field: str
    text: str
    origin: str
    until_ms: int | None = None


def explain(book: PolicyBook, domain: str, business: str | None = None, policy: str | None = None) -> list[Line]:
    """Return what holds for a domain, and for a business's or a policy's tasks to it."""
    chain = book.chain(domain)
    lines = [*_limits(book, domain), *_beside("business", business, book.businesses.get(business or ""))]
    lines += _beside("policy", policy, book.policies.get(policy or ""))
    lines += [
        Line(name, as_text(said.value, name), said.origin)
        for name, said in said_values(book.of_task(chain, business, policy)).items()
    ]
    return lines


def as_text(value: Any, field: str = "") -> str:
    """Write a policy's value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Codes):
        return ", ".join(value.text)
    if isinstance(value, RetryPolicy):
        return _retry(value)
    if isinstance(value, int) and field.endswith("_ms"):
        return format_duration(value)
    return "none" if value is None else str(value)


def _limits(book: PolicyBook, domain: str) -> Iterator[Line]:
    sources = book.of_lane(book.chain(domain))
    said = said_limits(sources, book.partitions)
    yield Line("rate", as_text(said.rate.value), said.rate.origin)
    if said.rate.value is not None:
        yield Line("burst", as_text(said.burst.value), said.burst.origin)
    yield Line("concurrency", as_text(said.concurrency.value), said.concurrency.origin)
    if said.shards.value > 1:
        each = lane_limits(sources, book.partitions)
        share = f"{each.concurrency} at once" + (f", {each.rate}, burst {each.burst}" if each.rate else "")
        yield Line("shards", f"{said.shards.value} (each: {share})", said.shards.origin)
    yield Line("backlog", as_text(said.backlog.value), said.backlog.origin)
    if said.backlog.value is not None:
        yield Line("backlog_full", "refuse" if said.refuse.value else "wait", said.refuse.origin)
    until_ms = said.paused_until_ms.value
    forever = until_ms >= FOREVER_MS
    yield Line(
        "paused",
        "no" if not until_ms else "until resumed" if forever else "until",
        said.paused_until_ms.origin,
        None if forever or not until_ms else until_ms,
    )
    yield Line("breaker", _breaker(said.breaker.value), said.breaker.origin)


def _beside(kind: str, name: str | None, policy: Policy | None) -> Iterator[Line]:
    """Limits that hold beside the domain's, over all domains: the strictest of all is what a task meets."""
    if name is None or policy is None:
        return
    origin = f"{kind} {name}"
    if policy.weight is not None:
        yield Line(f"weight of {origin}", str(policy.weight), origin)
    if policy.rate is not None:
        yield Line(f"rate of {origin}, all domains", str(policy.rate), origin)
        burst = usual_burst(policy.rate) if policy.burst is None else policy.burst
        yield Line(f"burst of {origin}, all domains", str(burst), origin)
    if policy.concurrency is not None:
        yield Line(f"concurrency of {origin}, all domains", str(policy.concurrency), origin)


def _retry(retry: RetryPolicy) -> str:
    if retry.intervals_ms is not None:
        return ", ".join(map(format_duration, retry.intervals_ms)) or "one attempt"
    backoff = retry.backoff
    attempts = "unlimited" if retry.max_attempts is None else retry.max_attempts
    if backoff is None:
        return f"{attempts} attempts"
    growth = f"{format_duration(backoff.initial_ms)}, times {backoff.multiplier:g}"
    return f"{growth}, at most {format_duration(backoff.max_ms)}, jitter {backoff.jitter:g}; {attempts} attempts"


def _breaker(breaker: BreakerPolicy) -> str:
    opens = f"opens after {breaker.failures_in_row} failures in a row, {breaker.connect_failures_in_row} to connect"
    share = f"or {breaker.share:.0%} of at least {breaker.least_calls} in {format_duration(breaker.window_ms)}"
    stays = f"for {format_duration(breaker.open_ms)}, at most {format_duration(breaker.open_most_ms)}"
    return f"{opens}, {share}; {stays}; {breaker.probes} at once, closes after {breaker.successes_to_close}"
