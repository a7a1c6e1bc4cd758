"""Records on `config`: each kind read whole, refused with the field and what is allowed, and never by an exception of ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.codes import parse_codes
from streamer.core.policy import FOREVER_MS, BreakerPolicy, Policy
from streamer.core.rate import Rate
from streamer.core.request import Backoff, RetryPolicy
from streamer.wire.config_key import key_of, parse_key
from streamer.wire.config_model import FIELDS_OF, Kind, PolicyRecord
from streamer.wire.config_record import ALLOWED, ConfigRecord, Installation, decode_config, encode_config
from streamer.wire.instants import parse_instant
from streamer.wire.limits import DEFAULT_LIMITS, Limits
from streamer.wire.policy_caps import check_caps, within_caps
from streamer.wire.unreadable import UnreadableRecord

PLACE = Installation(DEFAULT_LIMITS, BreakerPolicy(open_ms=7_000))
KEYS = ("default", "domain:*.example.com", "business:acme", "policy:slow", "rate_key:orders")
EVERYTHING: dict[str, Any] = {
    "rate": "10/5s",
    "burst": 20,
    "concurrency": 5,
    "shards": 2,
    "weight": 3,
    "backlog": 10_000,
    "backlog_full": "refuse",
    "paused": "2026-01-31T09:30:00Z",
    "breaker": {"failures_in_row": 9, "share": 0.25, "window": "30s", "open_most": 60_000},
    "priority": 1,
    "timeout": "10s",
    "retry": {"backoff": {"initial": "2s", "jitter": 0}, "max_attempts": 4},
    "retry_codes": [404, "5xx"],
    "fatal_codes": ["501-503"],
    "success_codes": ["2xx", 304],
    "sign": True,
}
MEANT = Policy(
    rate=Rate(10, 5_000),
    burst=20,
    concurrency=5,
    shards=2,
    weight=3,
    backlog=10_000,
    refuse=True,
    paused_until_ms=parse_instant("2026-01-31T09:30:00Z"),
    breaker=BreakerPolicy(failures_in_row=9, share=0.25, window_ms=30_000, open_ms=7_000, open_most_ms=60_000),
    priority=1,
    timeout_ms=10_000,
    retry=RetryPolicy(None, Backoff(2_000, jitter=0), 4),
    retry_codes=parse_codes(["404", "5xx"]),
    fatal_codes=parse_codes(["501-503"]),
    success_codes=parse_codes(["2xx", "304"]),
    sign=True,
)
#: Field of a record → field of a policy, where they differ.
POLICY_FIELDS = {"backlog_full": "refuse", "paused": "paused_until_ms", "timeout": "timeout_ms"}


def read(fields: dict[str, Any], key: str = "domain:example.com") -> Policy:
    """Read a record that must be good."""
    return decode_config(key, encode_config(fields), PLACE).policy


def outcome_of(key: str, value: bytes) -> ConfigRecord | UnreadableRecord:
    """Read any record; nothing but the one exception may be raised."""
    try:
        return decode_config(key, value, PLACE)
    except UnreadableRecord as error:
        return error


def beyond_caps(policy: Policy, limits: Limits) -> str | None:
    """Return the field by which a policy is refused, None when it is not."""
    try:
        check_caps(policy, limits)
    except UnreadableRecord as error:
        return error.field
    return None


def refused(fields: dict[str, Any], key: str = "domain:example.com") -> tuple[str | None, str]:
    """Return the field and the reason of a record that must be refused."""
    with pytest.raises(UnreadableRecord) as caught:
        decode_config(key, encode_config(fields), PLACE)
    return caught.value.field, caught.value.reason


@pytest.mark.parametrize("key", KEYS)
def test_every_field_of_a_kind_is_read(key: str) -> None:
    """What a kind may say is read as it was meant, each field where it belongs."""
    kind, name = parse_key(key)
    fields = {field: value for field, value in EVERYTHING.items() if field in FIELDS_OF[kind]}
    meant = {POLICY_FIELDS.get(field, field) for field in fields}
    silent = {field: None for field in Policy.__slots__ if field not in meant}
    found = decode_config(key, encode_config(fields), PLACE)
    assert found == ConfigRecord(kind, name, replace(MEANT, **silent))


@pytest.mark.parametrize("key", KEYS)
def test_a_field_of_another_kind_is_refused(key: str) -> None:
    """Each kind names what it does not have, and what the record is about."""
    kind, _ = parse_key(key)
    base = {"rate": "1/s"}
    for field in PolicyRecord.model_fields.keys() - FIELDS_OF[kind] - {"v"}:
        name, reason = refused({**base, field: EVERYTHING.get(field, 1)}, key)
        assert name == field
        assert reason.startswith(f"{field} is no field of a") or kind is Kind.DEFAULT


@pytest.mark.parametrize(
    ("fields", "name", "part"),
    [
        ({"rate": "10"}, "rate", '"10/s"'),
        ({"rate": 10}, "rate", '"10/s"'),
        ({"burst": 0}, "burst", "from 1"),
        ({"concurrency": "5"}, "concurrency", "from 1 to 10000"),
        ({"concurrency": True}, "concurrency", "from 1 to 10000"),
        ({"shards": 3, "concurrency": 2}, "shards", "at most 2 is allowed with concurrency 2"),
        ({"shards": 3, "rate": "9/s", "burst": 2}, "shards", "at most 2 is allowed with burst 2"),
        ({"backlog_full": "drop"}, "backlog_full", '"wait" or "refuse"'),
        ({"paused": "tomorrow"}, "paused", "RFC 3339"),
        ({"paused": 1}, "paused", "true, false"),
        ({"breaker": {"share": 0}}, "breaker.share", "above 0"),
        ({"breaker": {"open": "2d"}}, "breaker.open", "100ms to 1d"),
        ({"breaker": {"open": "10m", "open_most": "5m"}}, "breaker.open_most", "10m to 1d"),
        ({"breaker": {"window": "x"}}, "breaker.window", "no duration"),
        ({"breaker": {"failures": 3}}, "breaker.failures", "did you mean failures_in_row?"),
        ({"timeout": "1s", "timeout_ms": 5}, "timeout", "not both"),
        ({"timeout": 0}, "timeout", "1ms"),
        ({"timeout_ms": 0}, "timeout_ms", "from 1"),
        ({"priority": 11}, "priority", "10"),
        ({"retry": {"intervals": ["1m"], "backoff": {}}}, "retry", "not both"),
        ({"retry": {"intervals": ["1 fortnight"]}}, "retry.intervals", "no duration"),
        ({"retry": {"retry_codes": [404]}}, "retry.retry_codes", "no field of a domain"),
        ({"retry_codes": ["6xx"]}, "retry_codes", "5xx"),
        ({"fatal_codes": ["300-200"]}, "fatal_codes", "no status code"),
        ({"success_codes": []}, "success_codes", "list"),
        ({"sign": "yes"}, "sign", "true or false"),
        ({"rat": "1/s"}, "rat", "did you mean rate?"),
        ({"v": 2}, "v", "must be 1"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(fields: dict[str, Any], name: str, part: str) -> None:
    """The refusal names the field, and what may stand there."""
    field, reason = refused(fields)
    assert field == name
    assert part in reason


@pytest.mark.parametrize("key", ["business:acme", "policy:slow", "rate_key:orders"])
def test_a_burst_alone_is_refused_where_no_other_record_has_the_rate(key: str) -> None:
    """A lane's burst may go with another record's rate; these have one record each."""
    assert refused({"burst": 5}, key)[0] == "rate"
    assert read({"burst": 5}).burst == 5


@pytest.mark.parametrize(
    ("written", "until_ms"),
    [(True, FOREVER_MS), (False, 0), ("1960-01-01T00:00:00Z", 1), ("2026-01-31T10:30:00+01:00", 1_769_851_800_000)],
)
def test_a_pause_may_have_an_end(written: bool | str, until_ms: int) -> None:
    """True is until somebody says otherwise; an instant before 1970 is past, and not the word that there is no pause."""
    assert read({"paused": written}).paused_until_ms == until_ms


@pytest.mark.parametrize("value", [b"", b"nonsense", b"[]", b"null", b'{"rate":"1/s"}', b"\xff", b'{"v":1,"v":3}'])
def test_what_is_no_record_is_refused(value: bytes) -> None:
    """Bytes that are no JSON object of version 1 are refused in words."""
    with pytest.raises(UnreadableRecord):
        decode_config("default", value, PLACE)


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("domain:Example.com", "'domain:example.com'"),
        ("domain:example.com:443", "'domain:example.com'"),
        ("domain:*", "no domain"),
        ("domain:", "no domain"),
        ("domain", "no domain"),
        ("business:a b", "letters"),
        ("policy:", "letters"),
        ("policy:a:b", "letters"),
        ("rate_key:" + "k" * 129, "1 to 128"),
        ("default:", "'default'"),
        ("default:x", "no name"),
        ("tenant:acme", "known are default"),
    ],
)
def test_a_key_has_one_form(key: str, part: str) -> None:
    """Two keys for one domain would be two truths: the refusal says how to write it."""
    with pytest.raises(UnreadableRecord) as caught:
        parse_key(key)
    assert caught.value.field == "key"
    assert part in caught.value.reason


@pytest.mark.parametrize("key", KEYS)
def test_keys_round_trip(key: str) -> None:
    """A key that was read is written the same."""
    assert key_of(*parse_key(key)) == key


@pytest.mark.parametrize(
    ("fields", "field", "timeout_ms", "attempts"),
    [
        ({"timeout": "10m"}, "timeout_ms", 120_000, None),
        ({"retry": {"intervals": ["1s"] * 12}}, "retry", None, 11),
        ({"retry": {"backoff": {}, "max_attempts": 50}}, "retry", None, 11),
        ({"retry": {"backoff": {}, "max_attempts": "unlimited"}}, "retry.max_attempts", None, 11),
        ({"retry": {"intervals": ["1s", "2s"]}, "timeout": "5s"}, None, 5_000, 3),
    ],
)
def test_the_installations_caps_hold_for_policies(
    fields: dict[str, Any], field: str | None, timeout_ms: int | None, attempts: int | None
) -> None:
    """More than a task may ask for is refused to who writes it, and cut by who reads it all the same."""
    policy = read(fields)
    assert beyond_caps(policy, DEFAULT_LIMITS) == field
    within = within_caps(policy, DEFAULT_LIMITS)
    assert within.timeout_ms == timeout_ms
    assert (within.retry and within.retry.max_attempts) == attempts
    if within.retry is not None and within.retry.intervals_ms is not None and attempts is not None:
        assert len(within.retry.intervals_ms) == attempts - 1
    assert beyond_caps(within, DEFAULT_LIMITS) is None


def test_unlimited_attempts_stay_where_they_are_allowed() -> None:
    """The installation's word is asked, not ours."""
    policy = read({"retry": {"backoff": {}, "max_attempts": "unlimited"}})
    free = replace(DEFAULT_LIMITS, unlimited_attempts=True)
    assert beyond_caps(policy, free) is None
    assert within_caps(policy, free) == policy


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(ALLOWED)), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=4 * settings().max_examples)
@given(
    st.sampled_from(KEYS), st.dictionaries(st.sampled_from(sorted(PolicyRecord.model_fields)), json_values, max_size=5)
)
def test_any_json_in_any_field(key: str, fields: dict[str, Any]) -> None:
    """Any JSON value in any field is taken, or refused with words for people; nothing else is raised."""
    found = outcome_of(key, orjson.dumps({"v": 1} | fields))
    if isinstance(found, ConfigRecord):
        assert beyond_caps(within_caps(found.policy, DEFAULT_LIMITS), DEFAULT_LIMITS) is None
    else:
        assert found.reason


@given(st.text(max_size=30), st.binary(max_size=60))
def test_any_key_and_bytes(key: str, value: bytes) -> None:
    """Any key and any bytes are refused, or read."""
    found = outcome_of(key, value)
    assert isinstance(found, ConfigRecord) or found.reason
