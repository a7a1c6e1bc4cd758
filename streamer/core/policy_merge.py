"""What holds when several policies speak: values by the most specific that says something, and the limits of a lane.

Must not know how the policies that concern a task are found; see policy_book.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from streamer.core.policy import BreakerPolicy, Fill, LaneLimits, Policy
from streamer.core.rate import Rate, usual_burst
from streamer.core.send_policy import SendPolicy

#: Who says a value and the value's policy, the most specific first.
Source = tuple[str, Policy]

BUILT_IN = "built in"
#: Calls at once for one domain, where nobody says how many.
CONCURRENCY = 20

_VALUES = ("priority", "timeout_ms", "retry", "success_codes", "sign", "headers")
_SENDING = ("tls", "http2", "auth", "signing", "answer", "network")
_CODES = ("retry_codes", "fatal_codes")


@dataclass(frozen=True, slots=True)
class Said:
    """A value that holds, and who says it."""

    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class SaidLimits:
    """A lane's limits as a whole, before they are divided among its shards, each with who says it."""

    rate: Said
    burst: Said
    concurrency: Said
    shards: Said
    backlog: Said
    refuse: Said
    paused_until_ms: Said
    breaker: Said


def first_said(sources: Sequence[Source], field: str, otherwise: Any = None) -> Said:
    """Return the field's value from the most specific policy that has one."""
    for origin, policy in sources:
        value = getattr(policy, field)
        if value is not None:
            return Said(value, origin)
    return Said(otherwise, BUILT_IN)


def said_values(sources: Sequence[Source]) -> dict[str, Said]:
    """Return the values that a request takes over, by name, those that somebody says.

    Retry and fatal codes go together: whoever names one of them says both, lest one policy's fatal codes undo the retry
    codes of a more specific one.
    """
    said = {name: first_said(sources, name) for name in _VALUES}
    for origin, policy in sources:
        if policy.retry_codes is not None or policy.fatal_codes is not None:
            said |= {name: Said(getattr(policy, name), origin) for name in _CODES}
            break
    return {name: found for name, found in said.items() if found.value is not None}


def says_values(policy: Policy) -> bool:
    """Tell whether a policy has anything that a request takes over."""
    return any(getattr(policy, name) is not None for name in (*_VALUES, *_CODES))


def fill_of(sources: Sequence[Source]) -> Fill:
    """Return what a request takes over where it says nothing itself."""
    return Fill(**{name: said.value for name, said in said_values(sources).items()})


def says_how(policy: Policy) -> bool:
    """Tell whether a policy says anything about how a task is sent."""
    return any(getattr(policy, name) is not None for name in _SENDING)


def send_policy_of(sources: Sequence[Source]) -> SendPolicy:
    """Return how a task is sent; of keys to sign with all are taken, since each may be for some domains only."""
    said = {name: first_said(sources, name).value for name in _SENDING}
    said["signing"] = tuple(
        [replace(key, rank=rank) for rank, (_, policy) in enumerate(sources) for key in policy.signing or ()]
    )
    return SendPolicy(**{name: value for name, value in said.items() if value is not None})


def said_limits(sources: Sequence[Source], partitions: int) -> SaidLimits:
    """Return a lane's limits from its domain's policies."""
    rate, burst = _rate_and_burst(sources)
    concurrency = first_said(sources, "concurrency", CONCURRENCY)
    shards = first_said(sources, "shards", 1)
    most = most_shards(rate.value, burst.value, concurrency.value, partitions)
    return SaidLimits(
        rate=rate,
        burst=burst,
        concurrency=concurrency,
        # A limit that was lowered later must not leave a shard without any.
        shards=shards if shards.value <= most[0] else Said(most[0], f"{shards.origin}, cut to {most[1]}"),
        backlog=first_said(sources, "backlog"),
        refuse=first_said(sources, "refuse", False),
        paused_until_ms=_pause(sources),
        breaker=first_said(sources, "breaker", BreakerPolicy()),
    )


def lane_limits(sources: Sequence[Source], partitions: int) -> LaneLimits:
    """Return the limits of a lane, or of each of its shards: an equal share of rate, burst, concurrency and backlog."""
    said = said_limits(sources, partitions)
    shards, rate, backlog = said.shards.value, said.rate.value, said.backlog.value
    return LaneLimits(
        rate=None if rate is None else Rate(rate.amount, rate.interval_ms * shards),
        burst=max(1, said.burst.value // shards),
        concurrency=max(1, said.concurrency.value // shards),
        breaker=said.breaker.value,
        paused_until_ms=said.paused_until_ms.value,
        backlog=None if backlog is None else -(-backlog // shards),
        refuse=said.refuse.value,
        shards=shards,
    )


def most_shards(rate: Rate | None, burst: int, concurrency: int, partitions: int) -> tuple[int, str]:
    """Return the most shards that leave each one call at once, one of the burst and a partition, and what bounds them."""
    bounds = [(concurrency, "concurrency"), (partitions, "partitions")]
    if rate is not None:
        bounds.append((burst, "burst"))
    most, name = min(bounds)
    return most, f"the {name}"


def _rate_and_burst(sources: Sequence[Source]) -> tuple[Said, Said]:
    """Return the rate and the burst that goes with it: one written for a less specific rate would be another rate's."""
    burst: Said | None = None
    for origin, policy in sources:
        if burst is None and policy.burst is not None:
            burst = Said(policy.burst, origin)
        if policy.rate is not None:
            usual = Said(usual_burst(policy.rate), f"one second of {policy.rate}")
            return Said(policy.rate, origin), burst or usual
    return Said(None, BUILT_IN), Said(1, BUILT_IN)


def _pause(sources: Sequence[Source]) -> Said:
    """Return the longest pause up to the first policy that says there is none.

    A pause with an end that has passed says nothing any more, and time is not known here.
    """
    pause = Said(0, BUILT_IN)
    for origin, policy in sources:
        until_ms = policy.paused_until_ms
        if until_ms == 0:
            return pause if pause.value else Said(0, origin)
        if until_ms is not None and until_ms > pause.value:
            pause = Said(until_ms, origin)
    return pause
