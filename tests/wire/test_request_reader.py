"""A request record is read with its defaults, within the operator's limits, and refused with the field and a reason."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import asdict, replace

from streamer.core.reading import Accepted, Refused
from streamer.core.request import Backoff, RetryPolicy
from streamer.wire.limits import DEFAULT_LIMITS, Limits
from streamer.wire.request_error import NAMES
from streamer.wire.request_reader import read_request
from streamer.wire.trace_context import KafkaHeaders
from tests.wire.golden_files import golden_requests
from tests.wire.samples import AT_MS

URL = "https://example.com/hooks"
TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def read(record: dict[str, Any], limits: Limits = DEFAULT_LIMITS, headers: KafkaHeaders = ()) -> Accepted | Refused:
    """Read a record with a url."""
    return read_request(orjson.dumps({"url": URL} | record), headers, limits, AT_MS)


def accepted(record: dict[str, Any], limits: Limits = DEFAULT_LIMITS, headers: KafkaHeaders = ()) -> Accepted:
    """Read a record that must be accepted."""
    outcome = read(record, limits, headers)
    assert isinstance(outcome, Accepted), outcome
    return outcome


def plain(item: Any) -> Any:
    """Return values as the golden files write them."""
    if isinstance(item, Struct):
        return plain(asdict(item))
    if isinstance(item, bytes):
        return item.decode("latin-1")
    if isinstance(item, dict):
        return {name: plain(value) for name, value in item.items() if name != "members"}
    return [plain(value) for value in item] if isinstance(item, tuple) else item


@pytest.mark.parametrize(("name", "case"), golden_requests())
def test_golden(name: str, case: dict[str, Any]) -> None:
    """Each golden record is accepted as, or refused for the reason, that its file says."""
    value = case["text"].encode() if "text" in case else orjson.dumps(case["value"])
    outcome = read_request(value, (), DEFAULT_LIMITS, AT_MS)
    if isinstance(outcome, Refused):
        assert outcome.field == case["refused"]["field"]
        # What the JSON reader says after that is its own business.
        assert outcome.reason.split(" JSON: ")[0] == case["refused"]["reason"].removesuffix(" JSON")
    else:
        assert plain(outcome) == case["accepted"]


def test_golden_files_cover_every_field() -> None:
    """Every field of a request stands in a golden record that is accepted."""
    seen = {field for name, case in golden_requests() if "accepted" in case for field in case["value"]}
    assert seen >= NAMES


@pytest.mark.parametrize(
    ("record", "headers", "body"),
    [
        ({"json": {"a": [1, "ü"]}}, (("Content-Type", "application/json"),), '{"a":[1,"ü"]}'.encode()),
        ({"json": False}, (("Content-Type", "application/json"),), b"false"),
        ({"form": {"a": "ü &", "b": ["1", "2"]}}, (("Content-Type", "application/x-www-form-urlencoded"),),
         b"a=%C3%BC+%26&b=1&b=2"),
        ({"body": "ü"}, (("Content-Type", "text/plain; charset=utf-8"),), "ü".encode()),
        ({"body": '<?xml version="1.0"?><a/>'}, (("Content-Type", "application/xml; charset=utf-8"),),
         b'<?xml version="1.0"?><a/>'),
        ({"body": "<a/>"}, (("Content-Type", "text/plain; charset=utf-8"),), b"<a/>"),
        ({"body": "<?xml?>", "headers": {"Content-Type": "text/xml"}}, (("Content-Type", "text/xml"),), b"<?xml?>"),
        ({"body": ""}, (("Content-Type", "text/plain; charset=utf-8"),), b""),
        ({"body_base64": "AP8="}, (("Content-Type", "application/octet-stream"),), b"\x00\xff"),
        ({"json": 1, "headers": {"content-TYPE": "text/x"}}, (("content-TYPE", "text/x"),), b"1"),
        ({"json": 1, "headers": [["A", "b"]]}, (("A", "b"), ("Content-Type", "application/json")), b"1"),
        ({}, (), b""),
    ],
)  # fmt: skip
def test_content(record: dict[str, Any], headers: tuple[tuple[str, str], ...], body: bytes) -> None:
    """A body field gives the bytes and its content type, unless the record names one."""
    request = accepted(record).request
    assert (request.headers, request.body) == (headers, body)


def test_numbers_that_floats_can_hold_are_sent() -> None:
    """A large float beside a 64-bit number is no rounded number."""
    assert accepted({"json": [6.02e23, 1769851800000000000]}).request.body == b"[6.02e+23,1769851800000000000]"


@given(st.integers(-(1 << 70), 1 << 70) | st.integers(-20, 20).map(lambda near: (1 << 63) + near))
def test_a_whole_number_is_sent_as_it_is_or_not_at_all(number: int) -> None:
    """Whatever stands around it: what 64 bits hold is sent digit for digit, and what they do not is refused."""
    written = b'{"url": "%s", "json": {"a": [1769851800000000000, "%d", %d]}}' % (URL.encode(), number, number)
    outcome = read_request(written, (), DEFAULT_LIMITS, AT_MS)
    if -(1 << 63) <= number < 1 << 64:
        assert isinstance(outcome, Accepted)
        assert b",%d]" % number in outcome.request.body
    else:
        assert isinstance(outcome, Refused)
        assert outcome.field == "json"


def test_limits_are_the_operators() -> None:
    """Defaults and limits come from settings."""
    limits = Limits(
        timeout_ms=1_000,
        timeout_cap_ms=2_000,
        body_bytes=3,
        retry=RetryPolicy(intervals_ms=None, backoff=Backoff(), max_attempts=2),
        backoff=Backoff(initial_ms=7, multiplier=3.0, max_ms=9, jitter=0.0),
        backoff_attempts=4,
        retries=20,
        unlimited_attempts=True,
        business="shop",
        priority=2,
    )
    given = accepted({}, limits)
    assert (given.request.timeout_ms, given.request.priority, given.business) == (1_000, 2, "shop")
    assert given.request.retry is limits.retry
    assert accepted({"retry": {"max_attempts": 9}}, limits).request.retry == replace(limits.retry, max_attempts=9)
    assert accepted({"retry": {"backoff": {}}}, limits).request.retry.backoff == limits.backoff
    assert accepted({"retry": {"backoff": {}}}, limits).request.retry.max_attempts == 4
    assert accepted({"retry": {"max_attempts": "unlimited"}}, limits).request.retry.max_attempts is None
    assert accepted({"retry": {"intervals": ["1s"] * 20}}, limits).request.retry.max_attempts == 21
    assert read({"timeout_ms": 2_001}, limits) == Refused("timeout_ms", "timeout_ms is 2001; at most 2000 is allowed")
    assert read({"json": "ab"}, limits) == Refused("json", "json is 4 bytes; at most 3 are allowed")
    assert isinstance(read({"body": "abc"}, limits), Accepted)


def test_a_cap_below_the_default_timeout_binds_only_what_is_written() -> None:
    """The default timeout is the operator's own word and is not measured by the cap."""
    assert accepted({}, Limits(timeout_ms=5, timeout_cap_ms=1)).request.timeout_ms == 5


@pytest.mark.parametrize(
    ("record", "due"),
    [
        ({}, (None, None)),
        ({"delay": "1m"}, (None, 60_000)),
        ({"delay": 0}, (None, 0)),
        ({"send_at": "2026-01-01T00:00:00.5Z"}, (AT_MS + 500, None)),
        ({"send_at": "2025-12-31T23:00:00-01:00"}, (AT_MS, None)),
        ({"send_at": "2020-01-01T00:00:00Z"}, (1_577_836_800_000, None)),
        ({"send_at": "2027-01-01T00:00:00Z"}, (AT_MS + 365 * 86_400_000, None)),
    ],
)
def test_due(record: dict[str, Any], due: tuple[int | None, int | None]) -> None:
    """send_at is an instant, past or within a year; delay counts from acceptance."""
    given = accepted(record)
    assert (given.send_at_ms, given.delay_ms) == due


def test_beyond_the_horizon() -> None:
    """One ms beyond the year is refused."""
    outcome = read({"send_at": "2027-01-01T00:00:00.001Z"})
    assert isinstance(outcome, Refused)
    assert outcome.field == "send_at"


@pytest.mark.parametrize(
    ("headers", "traceparent"),
    [
        ((("traceparent", TRACE),), TRACE.decode()),
        ((("other", b"\xff"), ("traceparent", TRACE)), TRACE.decode()),
        ((("traceparent", None),), None),
        ((("traceparent", b""),), None),
        ((("traceparent", TRACE.upper()),), None),
        ((("traceparent", TRACE + b"\n"),), None),
        ((("traceparent", b"ff" + TRACE[2:]),), None),
        ((("traceparent", b"00-" + b"0" * 32 + TRACE[35:]),), None),
        ((("traceparent", TRACE[:36] + b"0" * 16 + b"-01"),), None),
        ((("traceparent", b"\xff\xfe"),), None),
    ],
)
def test_traceparent(headers: KafkaHeaders, traceparent: str | None) -> None:
    """A W3C traceparent is taken from the Kafka header; anything else there is ignored."""
    assert accepted({}, headers=headers).request.traceparent == traceparent


def test_cloudevents_in_binary_mode() -> None:
    """In binary mode the value is the request, and the event's attributes are left alone."""
    headers = (("ce_specversion", b"1.0"), ("ce_id", b"e-1"), ("ce_type", b"t"), ("ce_source", b"/s"))
    assert accepted({"body": "x"}, headers=headers) == accepted({"body": "x"})


def test_cloudevents_in_structured_mode() -> None:
    """The event's id is not the task's, and a refusal names the request's own field."""
    event = {"specversion": "1.0", "id": "e-1", "source": "/s", "type": "t"}
    good = read_request(orjson.dumps(event | {"data": {"url": URL, "body": "x"}}), (), DEFAULT_LIMITS, AT_MS)
    assert good == read({"body": "x"})
    bad = read_request(orjson.dumps(event | {"data": {"url": URL, "priority": 0}}), (), DEFAULT_LIMITS, AT_MS)
    assert isinstance(bad, Refused)
    assert bad.field == "priority"


@pytest.mark.parametrize("value", [None, b""])
def test_tombstone(value: bytes | None) -> None:
    """A record without a value is refused."""
    outcome = read_request(value, (), DEFAULT_LIMITS, AT_MS)
    assert isinstance(outcome, Refused)
    assert "no value" in outcome.reason


def test_sizes() -> None:
    """A record beyond the limit is refused by its length alone; a body of exactly 1 MiB goes."""
    assert isinstance(read({"body": "x" * 1_048_576}), Accepted)
    over = read({"body": "x" * 1_048_577})
    assert over == Refused("body", "body is 1048577 bytes; at most 1048576 are allowed")
    huge = read_request(b"[" * 5_000_000, (), DEFAULT_LIMITS, AT_MS)
    assert huge == Refused(None, "the record is 5000000 bytes; at most 4194304 are allowed")


def test_a_url_is_measured_in_bytes() -> None:
    """A URL of fewer than 8192 characters may have more bytes."""
    outcome = read({"url": URL + "/" + "ü" * 5_000})
    assert outcome == Refused("url", "url must be at most 8192 bytes")


def test_many_unknown_fields() -> None:
    """A hundred thousand unknown names are refused by the first."""
    outcome = read({f"n{number}": 1 for number in range(100_000)})
    assert isinstance(outcome, Refused)
    assert outcome.field == "n0"


def test_a_long_unknown_name_is_cut() -> None:
    """A reason stays short however long the name is that it shows."""
    outcome = read({"x" * 100_000: 1})
    assert isinstance(outcome, Refused)
    assert len(outcome.reason) < 500
