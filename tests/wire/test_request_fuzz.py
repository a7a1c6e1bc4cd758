"""Whatever bytes come on ``requests``, they become a task that can travel on, or a refusal that says why."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.delivery import Delivery, Origin
from streamer.core.reading import Accepted, Refused
from streamer.wire.delivery_record import decode_delivery, encode_delivery
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_error import ALLOWED
from streamer.wire.request_reader import read_request
from streamer.wire.trace_context import KafkaHeaders
from tests.wire.golden_files import golden_requests
from tests.wire.samples import AT_MS

SEEDS = [
    case["text"].encode() if "text" in case else orjson.dumps(case["value"])
    for _, case in golden_requests()
    if len(str(case)) < 5_000
]
GOOD = [orjson.dumps(case["value"]) for _, case in golden_requests() if "accepted" in case]
NASTY = [
    b"null", b"NaN", b"1e999", b"-0", b"9223372036854775808", b"1" * 400, b"[" * 1_500, b"{\"a\":" * 500, b'"\\ud800"',
    b"\xff", b"\x00", b"\\u0000", b"true", b"{}", b"[]", b'""', b"{", b"}", b'"', b":", b",", b'"url":1,', b'"id":"a",',
    b'"json":' + b"[" * 300 + b"]" * 300 + b",", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"http://[::", b"xn--", b"@",
    b"1.5", b"-1", b'"5xx"', b'"1h"', b"Infinity", b'"unlimited"', b"\r\n",
]  # fmt: skip


def check(value: bytes | None, headers: KafkaHeaders = ()) -> Accepted | Refused:
    """Read a record, and check what must hold of any outcome."""
    outcome = read_request(value, headers, DEFAULT_LIMITS, AT_MS)
    if isinstance(outcome, Refused):
        assert outcome.reason
        assert len(outcome.reason) < 1_000
        outcome.reason.encode()
        return outcome
    delivery = Delivery(
        task_id=outcome.id or "t",
        business=outcome.business,
        business_id=outcome.business_id,
        lane=outcome.lane,
        request=outcome.request,
        origin=Origin("requests", 0, 0, AT_MS),
        accepted_at_ms=AT_MS,
        due_at_ms=max(AT_MS, outcome.send_at_ms or 0) + (outcome.delay_ms or 0),
    )
    assert decode_delivery(encode_delivery(delivery)) == delivery
    return outcome


def _splice(value: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(value) + 1)
    return value[:at] + chance.choice(NASTY) + value[at + chance.choice((0, 0, 1, 4)) :]


def _cut(value: bytes, chance: random.Random) -> bytes:
    return value[: chance.randrange(len(value) + 1)]


def _flip(value: bytes, chance: random.Random) -> bytes:
    changed = bytearray(value)
    for _ in range(chance.randint(1, 3) if value else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cross(value: bytes, chance: random.Random) -> bytes:
    other = chance.choice(SEEDS)
    return value[: chance.randrange(len(value) + 1)] + other[chance.randrange(len(other) + 1) :]


def _swap_values(value: bytes, chance: random.Random) -> bytes:
    """Put the value of one field of one record into another field: good JSON of wrong types."""
    try:
        record, other = orjson.loads(value), orjson.loads(chance.choice(SEEDS))
    except orjson.JSONDecodeError:
        return value
    if not isinstance(record, dict) or not isinstance(other, dict) or not other:
        return value
    names = [path.split(".")[-1] for path in ALLOWED]
    record[chance.choice(names)] = chance.choice([*other.values(), 0, -1, 2**63, 1.5, True, [], {}, "", "\u2028"])
    try:
        return orjson.dumps(record)
    except TypeError:  # Nested deeper than can be written.
        return value


def _borrow(value: bytes, chance: random.Random) -> bytes:
    """Take a field over from another record: good JSON whose fields may not go together."""
    try:
        record, other = orjson.loads(value), orjson.loads(chance.choice(SEEDS))
        for name in chance.sample(sorted(other), k=min(len(other), chance.randint(1, 3))):
            record[name] = other[name]
        return orjson.dumps(record)
    except (orjson.JSONDecodeError, TypeError):  # Not both objects, or nested too deeply.
        return value


MUTATIONS = [_splice, _cut, _flip, _cross, _swap_values, _borrow, _borrow, _borrow]


def test_mutated_records() -> None:
    """Six thousand mutated golden records raise nothing; some are accepted, most are refused."""
    chance = random.Random(20_260_131)
    accepted = 0
    for _ in range(6_000):
        value = chance.choice(chance.choice((GOOD, SEEDS)))
        for _ in range(chance.randint(1, 2)):
            value = chance.choice(MUTATIONS)(value, chance)
        accepted += isinstance(check(value), Accepted)
    assert 300 < accepted < 4_500


@settings(max_examples=2 * settings().max_examples)
@given(
    st.none() | st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=8), st.none() | st.binary(max_size=60)))
)
def test_any_bytes(value: bytes | None, headers: list[tuple[str, bytes | None]]) -> None:
    """Any bytes and any headers are read without an exception."""
    check(value, headers)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=4 * settings().max_examples)
@given(st.dictionaries(st.sampled_from([path.split(".")[-1] for path in ALLOWED]), json_values, max_size=5))
def test_any_json_in_any_field(record: dict[str, object]) -> None:
    """Any JSON value in any field is taken, or refused with that field named."""
    outcome = check(orjson.dumps({"url": "https://example.com/"} | record))
    if isinstance(outcome, Refused):
        assert outcome.field is not None
        assert outcome.field.split(".")[0] in record
        assert outcome.field.split(".")[-1] in outcome.reason


@pytest.mark.slow
def test_bombs() -> None:
    """Nesting, numbers, repeated names and thousands of entries are read in bounded depth."""
    for value in (
        b"[" * 4_000_000,
        b'{"a":' * 700_000,
        b'{"url":"http://a/","json":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
        b'{"url":"http://a/","json":' + b"9" * 1_000_000 + b"}",
        b'{"url":"http://a/","form":{' + b",".join(b'"%d":"x"' % n for n in range(200_000)) + b"}}",
        b'{"url":"http://a/","headers":[' + b",".join([b"[]"] * 500_000) + b"]}",
        b'{"url":"http://a/","retry":{"intervals":[' + b",".join([b"1"] * 1_000_000) + b"]}}",
        b"{" + b'"url":"http://a/",' * 200_000 + b'"sign":true}',
        b'{"url":"' + b"a" * 4_000_000 + b'"}',
        b'{"url":"http://a/","body_base64":"' + b"A" * 4_000_000 + b'"}',
        b'{"url":"http://a/","delay":"' + b"1" * 1_000_000 + b'"}',
        b'{"url":"http://a/","' + b"u" * 3_000_000 + b'":1}',
    ):
        check(value)


def test_the_last_of_a_repeated_name_counts() -> None:
    """A name written twice in one object is read as JSON readers do."""
    outcome = check(b'{"url":"http://a/","url":"http://b/"}')
    assert isinstance(outcome, Accepted)
    assert outcome.lane == "b"
