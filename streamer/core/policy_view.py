"""What holds for a domain and why, as text for people: each value with the policy that says it.

Must not know how it is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from streamer.core.answer_rules import describe
from streamer.core.codes import Codes
from streamer.core.domain_name import pattern_covers
from streamer.core.duration import format_duration
from streamer.core.policy import FOREVER_MS, BreakerPolicy, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.policy_merge import Said, Source, first_said, lane_limits, said_limits, said_values
from streamer.core.rate import usual_burst
from streamer.core.request import RetryPolicy
from streamer.core.send_policy import Auth

#: What the field of a line that shows a header begins with; the header's name follows.
HEADER = "header "


@dataclass(frozen=True, slots=True)
class Line:
    """One value that holds: its field, the value as text, and who says it.

    ``until_ms`` is the end of a pause or a key, which whoever prints it writes as an instant.
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
        if name != "headers"
    ]
    lines += _headers(first_said(book.of_task(chain, business, policy), "headers", ()))
    lines += _transport(book.of_lane(chain))
    lines += _answer_rules(first_said(book.of_task(chain, business, policy), "answer"))
    lines += _signing(book.of_task(chain, business, policy), domain)
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
    for field in ("only_hosts", "deny_hosts", "deny_cidrs") if policy.network is not None else ():
        if found := getattr(policy.network, field):
            yield Line(f"network.{field} of {origin}", ", ".join(found), origin)


def _headers(said: Said) -> Iterator[Line]:
    """The headers that requests without them get, a line each, so that whoever prints them can mask some."""
    for name, value in said.value:
        yield Line(f"{HEADER}{name}", value, said.origin)


def _transport(sources: Sequence[Source]) -> Iterator[Line]:
    """TLS, HTTP/2 and credentials, as far as somebody says something; of secrets the names."""
    if (tls := first_said(sources, "tls")).value is not None:
        verify = "yes" if tls.value.verify else "NO: whoever is in between can read and change everything"
        yield Line("tls.verify", verify, tls.origin)
        for name in ("ca", "client_certificate"):
            if (secret := getattr(tls.value, name)) is not None:
                yield Line(f"tls.{name}", f"secret {secret}", tls.origin)
    if (http2 := first_said(sources, "http2")).value is not None:
        yield Line("http2", str(http2.value), http2.origin)
    if (auth := first_said(sources, "auth")).value is not None:
        yield Line("auth", _auth(auth.value), auth.origin)


def _auth(auth: Auth) -> str:
    user = f" as {auth.user}" if auth.user else ""
    token = f", token from {auth.token_url}" if auth.token_url else ""
    asked = "".join(
        f", {name} {value}" for name, value in (("scope", auth.scope), ("audience", auth.audience)) if value
    )
    whose = f", for {', '.join(auth.businesses)} only" if auth.businesses else ""
    return f"{auth.kind}{user} with secret {auth.secret}{token}{asked}{whose}"


def _answer_rules(said: Said) -> Iterator[Line]:
    """Rules on answers, under the names by which results tell which one fitted."""
    for number, rule in enumerate(said.value or (), 1):
        yield Line(f"answer.{number}", describe(rule), said.origin)


def _signing(sources: Sequence[Source], domain: str) -> Iterator[Line]:
    """The keys that calls to a domain may be signed with, by the names of their secrets, each with its end."""
    for origin, policy in sources:
        covering = [key for key in policy.signing or () if key.domain is None or pattern_covers(key.domain, domain)]
        for key in covering:
            only = f" for {key.domain}" if key.domain is not None else ""
            until = " until" if key.until_ms is not None else ""
            yield Line("signing key", f"{key.secret}{only}{until}", origin, key.until_ms)
        if covering:
            return


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
