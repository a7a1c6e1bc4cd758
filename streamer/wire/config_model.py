"""A record on ``config`` as people may write it, version 1, and which fields each kind of record may have.

Each description completes "the field must be …" in a refusal. Null means that the field is not given.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from streamer.wire.config_send_model import (
    AnswerRuleRecord,
    AuthRecord,
    Business,
    Hosts,
    NetworkRecord,
    SigningKeyRecord,
    TlsRecord,
)
from streamer.wire.header_rules import MAX_HEADERS
from streamer.wire.request_model import BackoffRecord, Codes, Duration, Instant

_STRICT = ConfigDict(extra="forbid", strict=True)
_DURATION = 'a duration: text such as "500ms", "30s", "1h30m", or a whole number of ms'
_CODES = 'a list of at most 64 status codes: 404, classes such as "5xx", ranges such as "200-204"'
Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Kind(StrEnum):
    """What a record on ``config`` is about; the value begins its key."""

    DEFAULT = "default"
    DOMAIN = "domain"
    BUSINESS = "business"
    POLICY = "policy"
    RATE_KEY = "rate_key"
    SECRET = "secret"


#: What keys of records begin with that stand on ``config`` too, are no policies, and are read elsewhere.
OTHER_KINDS = frozenset({"schedule", "fired"})


class BreakerRecord(BaseModel):
    """When a lane's breaker opens and closes; what is left out is as the settings have it."""

    model_config = _STRICT

    failures_in_row: Count | None = Field(None, description="a whole number from 1 to 1000000")
    connect_failures_in_row: Count | None = Field(None, description="a whole number from 1 to 1000000")
    share: Annotated[float, Field(gt=0, le=1)] | None = Field(None, description="a number above 0, at most 1")
    least_calls: Count | None = Field(None, description="a whole number from 1 to 1000000")
    window: Duration | None = Field(None, description=_DURATION + ", from 1s to 1h")
    open: Duration | None = Field(None, description=_DURATION + ", from 100ms to 1d")
    open_most: Duration | None = Field(None, description=_DURATION + ", at least open, at most 1d")
    probes: Annotated[int, Field(ge=1, le=1_000)] | None = Field(None, description="a whole number from 1 to 1000")
    successes_to_close: Count | None = Field(None, description="a whole number from 1 to 1000000")


class PolicyRetryRecord(BaseModel):
    """When to try again, and how often."""

    model_config = _STRICT

    intervals: Annotated[list[Duration], Field(max_length=1000)] | None = Field(
        None, description='a list of durations, one per retry: ["1m", "5m", "30m", "2h"]; [] is one attempt'
    )
    backoff: BackoffRecord | None = Field(None, description="an object with initial, multiplier, max, jitter")
    max_attempts: Count | Literal["unlimited"] | None = Field(
        None, description='a whole number from 1 that counts the first attempt too, or "unlimited"'
    )


class PolicyRecord(BaseModel):
    """What is said about a domain, a business, a named policy, a rate key, or all of them."""

    model_config = _STRICT

    v: Literal[1] = Field(description="1")
    rate: Annotated[str, Field(max_length=60)] | None = Field(
        None, description='an amount per interval: "10/s", "10/5s", "1000/m"'
    )
    burst: Count | None = Field(
        None, description="a whole number from 1 to 1000000, default one second's worth of the rate"
    )
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="a whole number from 1 to 10000, calls at once"
    )
    shards: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        None, description="a whole number from 1, at most concurrency, burst and the partitions"
    )
    weight: Annotated[int, Field(ge=1, le=1_000)] | None = Field(
        None, description="a whole number from 1 to 1000: turns beside other businesses in a lane, default 1"
    )
    backlog: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = Field(
        None, description="a whole number from 1: open tasks of the domain"
    )
    backlog_full: Literal["wait", "refuse"] | None = Field(
        None, description='"wait" or "refuse": what a task beyond the backlog gets, default wait'
    )
    paused: bool | Instant | None = Field(
        None, description='true, false, or the RFC 3339 instant until which: "2026-01-31T09:30:00Z"'
    )
    breaker: BreakerRecord | None = Field(None, description=f"an object with {', '.join(BreakerRecord.model_fields)}")
    priority: Annotated[int, Field(ge=1, le=10)] | None = Field(None, description="a whole number from 1 (first) to 10")
    timeout_ms: Annotated[int, Field(ge=1)] | None = Field(None, description="a whole number of ms from 1")
    timeout: Duration | None = Field(None, description=_DURATION + ", at least 1 ms; the same as timeout_ms")
    retry: PolicyRetryRecord | None = Field(
        None, description="an object with intervals or backoff, max_attempts; codes stand beside it"
    )
    retry_codes: Codes | None = Field(None, description=_CODES)
    fatal_codes: Codes | None = Field(None, description=_CODES)
    success_codes: Annotated[Codes, Field(min_length=1)] | None = Field(None, description=_CODES)
    sign: bool | None = Field(None, description="true or false")
    headers: Annotated[dict[str, str], Field(max_length=MAX_HEADERS)] | None = Field(
        None,
        description=f"an object of at most {MAX_HEADERS} names and texts, for requests without a header of the name",
    )
    answer: Annotated[list[AnswerRuleRecord], Field(max_length=32)] | None = Field(
        None, description="a list of at most 32 rules, of which the first that fits an answer decides"
    )
    tls: TlsRecord | None = Field(None, description=f"an object with {', '.join(TlsRecord.model_fields)}")
    http2: Literal["auto", "prior_knowledge", "off"] | None = Field(
        None, description='"auto" (agreed upon in TLS), "prior_knowledge" or "off"'
    )
    auth: AuthRecord | None = Field(None, description="an object with type: basic, bearer or oauth2")
    signing: Annotated[list[SigningKeyRecord], Field(max_length=16)] | None = Field(
        None, description="a list of at most 16 objects with secret, until, domain"
    )
    network: NetworkRecord | None = Field(None, description=f"an object with {', '.join(NetworkRecord.model_fields)}")
    domains: Hosts | None = Field(
        None,
        description='a list of 1 to 64 domains for which tasks may name the secret: "example.com", "*.example.com"',
    )
    businesses: Annotated[list[Business], Field(min_length=1, max_length=64)] | None = Field(
        None, description="a list of 1 to 64 businesses whose tasks may name the secret, default all"
    )


_VALUES = frozenset(
    (
        "priority",
        "timeout_ms",
        "timeout",
        "retry",
        "retry_codes",
        "fatal_codes",
        "success_codes",
        "sign",
        "headers",
        "answer",
    )
)
_LANE = frozenset(("rate", "burst", "concurrency", "backlog", "backlog_full", "paused", "breaker"))

#: Kind → the fields that its records may have, beside ``v``.
FIELDS_OF: Mapping[Kind, frozenset[str]] = {
    Kind.DEFAULT: _LANE | _VALUES | {"http2"},
    Kind.DOMAIN: _LANE | _VALUES | {"shards", "tls", "http2", "auth", "signing"},
    Kind.BUSINESS: frozenset(("rate", "burst", "concurrency", "weight", "signing", "network")) | _VALUES,
    Kind.POLICY: frozenset(("rate", "burst", "concurrency")) | _VALUES,
    Kind.RATE_KEY: frozenset(("rate", "burst")),
    Kind.SECRET: frozenset(("domains", "businesses")),
}
