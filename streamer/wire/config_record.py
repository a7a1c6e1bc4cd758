"""Records on ``config``: what is said about domains, businesses, named policies, rate keys and by default. JSON, version 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson
from msgspec import structs
from pydantic import ValidationError

from streamer.core.duration import format_duration, parse_duration_ms
from streamer.core.policy import FOREVER_MS, BreakerPolicy, Policy
from streamer.core.rate import Rate, parse_rate
from streamer.core.request import RetryPolicy
from streamer.core.send_policy import Http2
from streamer.wire.config_key import parse_key
from streamer.wire.config_model import FIELDS_OF, BreakerRecord, Kind, PolicyRecord, PolicyRetryRecord
from streamer.wire.config_send import (
    read_auth,
    read_headers,
    read_network,
    read_rules,
    read_scope,
    read_signing,
    read_tls,
)
from streamer.wire.config_send_model import AnswerRuleRecord, AuthRecord, NetworkRecord, SigningKeyRecord, TlsRecord
from streamer.wire.instants import parse_instant
from streamer.wire.limits import Limits
from streamer.wire.model_error import Fields, described
from streamer.wire.request_model import BackoffRecord, RetryRecord
from streamer.wire.request_policy import read_codes, read_policy
from streamer.wire.unreadable import UnreadableRecord

VERSION = 1

#: Dotted path of every field → what it must be.
ALLOWED = {
    **described(PolicyRecord),
    **described(BreakerRecord, "breaker."),
    **described(PolicyRetryRecord, "retry."),
    **described(BackoffRecord, "retry.backoff."),
    **described(TlsRecord, "tls."),
    **described(AuthRecord, "auth."),
    **described(NetworkRecord, "network."),
    **described(SigningKeyRecord, "signing."),
    **described(AnswerRuleRecord, "answer."),
}
_SECOND_MS, _HOUR_MS, _DAY_MS = 1_000, 3_600_000, 86_400_000
_MOST_RETRIES = 1 << 30


@dataclass(frozen=True, slots=True)
class ConfigRecord:
    """What one record says, and about whom; ``name`` is empty for the default."""

    kind: Kind
    name: str
    policy: Policy


@dataclass(frozen=True, slots=True)
class Installation:
    """What a record leaves to the installation: how its retry and breaker go on where it says nothing."""

    limits: Limits
    breaker: BreakerPolicy


def encode_config(fields: Mapping[str, Any]) -> bytes:
    """Return a record's value; what is None is left out."""
    return orjson.dumps({"v": VERSION, **{name: value for name, value in fields.items() if value is not None}})


def decode_config(key: str, value: bytes, place: Installation) -> ConfigRecord:
    """Read a record; UnreadableRecord names the field and what is allowed.

    The installation's caps are not asked: see policy_caps.
    """
    kind, name = parse_key(key)
    try:
        data = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UnreadableRecord(None, f"the record is no JSON: {error}") from None
    if not isinstance(data, dict):
        raise UnreadableRecord(None, "the record must be a JSON object with v 1")
    fields = _FIELDS[kind]
    if (unknown := next((name for name in data if name not in fields.allowed), None)) is not None:
        raise UnreadableRecord(*fields.unknown("", unknown))
    try:
        record = PolicyRecord.model_validate(data)
    except ValidationError as error:
        raise UnreadableRecord(*fields.refusal(error)) from None
    policy = _policy(record, place)
    _check(kind, policy)
    return ConfigRecord(kind, name, policy)


def _fields_of(kind: Kind) -> Fields:
    allowed = {path: text for path, text in ALLOWED.items() if path.partition(".")[0] in {"v", *FIELDS_OF[kind]}}
    nouns = {
        Kind.DEFAULT: "the default",
        Kind.DOMAIN: "a domain",
        Kind.BUSINESS: "a business",
        Kind.POLICY: "a policy",
        Kind.RATE_KEY: "a rate key",
        Kind.SECRET: "a secret",
    }
    return Fields(allowed, nouns[kind])


_FIELDS = {kind: _fields_of(kind) for kind in Kind}


def _policy(record: PolicyRecord, place: Installation) -> Policy:
    return Policy(
        rate=None if record.rate is None else _rate(record.rate),
        burst=record.burst,
        concurrency=record.concurrency,
        weight=record.weight,
        priority=record.priority,
        timeout_ms=_timeout_ms(record),
        retry=None if record.retry is None else _retry(record.retry, place.limits),
        retry_codes=read_codes("retry_codes", record.retry_codes),
        fatal_codes=read_codes("fatal_codes", record.fatal_codes),
        success_codes=read_codes("success_codes", record.success_codes),
        sign=record.sign,
        shards=record.shards,
        backlog=record.backlog,
        refuse=None if record.backlog_full is None else record.backlog_full == "refuse",
        paused_until_ms=_paused_until_ms(record.paused),
        breaker=None if record.breaker is None else _breaker(record.breaker, place.breaker),
        headers=read_headers(record.headers),
        tls=read_tls(record.tls),
        http2=None if record.http2 is None else Http2(record.http2),
        auth=read_auth(record.auth),
        signing=read_signing(record.signing),
        answer=read_rules(record.answer),
        network=read_network(record.network),
        scope=read_scope(record.domains, record.businesses),
    )


def _check(kind: Kind, policy: Policy) -> None:
    """Check what fields say together."""
    lane = kind in (Kind.DEFAULT, Kind.DOMAIN)
    if policy.rate is None and (kind is Kind.RATE_KEY or (policy.burst is not None and not lane)):
        # A lane's burst may go with a rate that another record says; these have no other.
        raise UnreadableRecord("rate", f"rate is required here: {ALLOWED['rate']}")
    if kind is Kind.SECRET and policy.scope is None:
        raise UnreadableRecord("domains", f"domains is required here: {ALLOWED['domains']}")
    shards = policy.shards or 1
    for name, most in (("concurrency", policy.concurrency), ("burst", policy.burst)):
        if most is not None and shards > most:
            raise UnreadableRecord("shards", f"shards is {shards}; at most {most} is allowed with {name} {most}")


def _rate(written: str) -> Rate:
    try:
        return parse_rate(written)
    except ValueError as error:
        raise UnreadableRecord("rate", f"rate: {error}") from None


def _timeout_ms(record: PolicyRecord) -> int | None:
    if record.timeout is None:
        return record.timeout_ms
    if record.timeout_ms is not None:
        raise UnreadableRecord("timeout", "give timeout or timeout_ms, not both")
    return _duration("timeout", record.timeout, 1, 365 * _DAY_MS)


def _retry(record: PolicyRetryRecord, limits: Limits) -> RetryPolicy:
    asked = RetryRecord(
        intervals=record.intervals,
        backoff=record.backoff,
        max_attempts=record.max_attempts,
        retry_codes=None,
        fatal_codes=None,
    )
    # What a policy may not ask for here is said by policy_caps: a worker with other caps must still read it.
    boundless = replace(limits, retries=_MOST_RETRIES, unlimited_attempts=True)
    return read_policy(asked, boundless, structs.replace(limits.retry, retry_codes=None, fatal_codes=None))


def _paused_until_ms(paused: bool | str | None) -> int | None:
    if paused is None:
        return None
    if isinstance(paused, bool):
        return FOREVER_MS if paused else 0
    try:
        return min(max(1, parse_instant(paused)), FOREVER_MS)
    except ValueError as error:
        raise UnreadableRecord("paused", f"paused {error}") from None


def _breaker(record: BreakerRecord, usual: BreakerPolicy) -> BreakerPolicy:
    window_ms = _span("breaker.window", record.window, usual.window_ms, _SECOND_MS, _HOUR_MS)
    open_ms = _span("breaker.open", record.open, usual.open_ms, 100, _DAY_MS)
    open_most_ms = _span("breaker.open_most", record.open_most, max(usual.open_most_ms, open_ms), open_ms, _DAY_MS)
    return BreakerPolicy(
        failures_in_row=record.failures_in_row or usual.failures_in_row,
        connect_failures_in_row=record.connect_failures_in_row or usual.connect_failures_in_row,
        share=record.share or usual.share,
        least_calls=record.least_calls or usual.least_calls,
        window_ms=window_ms,
        open_ms=open_ms,
        open_most_ms=open_most_ms,
        probes=record.probes or usual.probes,
        successes_to_close=record.successes_to_close or usual.successes_to_close,
    )


def _span(field: str, written: int | str | None, usual_ms: int, least_ms: int, most_ms: int) -> int:
    return usual_ms if written is None else _duration(field, written, least_ms, most_ms)


def _duration(field: str, written: int | str, least_ms: int, most_ms: int) -> int:
    try:
        span_ms = parse_duration_ms(written)
    except ValueError as error:
        raise UnreadableRecord(field, f"{field}: {error}") from None
    if not least_ms <= span_ms <= most_ms:
        allowed = f"{format_duration(least_ms)} to {format_duration(most_ms)}"
        raise UnreadableRecord(field, f"{field} is {format_duration(span_ms)}; {allowed} is allowed")
    return span_ms
