"""An update changes what it names, keeps the rest, and is refused by the name of what it may not change."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from streamer.core.delivery import Delivery
from streamer.core.reading import Refused
from streamer.core.request import RetryPolicy
from streamer.wire.delivery_record import decode_delivery, encode_delivery
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.task_update import CHANGEABLE, refusal_of, updated
from tests.wire.samples import AT_MS, DELIVERY, REQUEST


def update(**changes: Any) -> Delivery | Refused:
    return updated(DELIVERY, orjson.dumps(changes), DEFAULT_LIMITS, AT_MS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"url": "https://example.com/v2"}, {"url": "https://example.com/v2"}),
        ({"body": "new"}, {"body": b"new"}),
        ({"body_base64": "/w=="}, {"body": b"\xff"}),
        ({"timeout_ms": 5}, {"timeout_ms": 5}),
        ({"priority": 1}, {"priority": 1}),
        ({"expires_at": "2026-02-01T00:00:00Z"}, {"expires_at_ms": 1_769_904_000_000}),
        ({"retry": {"intervals": ["1s"]}}, {"retry": RetryPolicy((1_000,), None, 2)}),
        ({"priority": 2, "body": None}, {"priority": 2}),
    ],
)
def test_what_is_named_changes_and_the_rest_stays(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Every field but those named is the task's own, and the task is as it was but for its request."""
    got = update(**changes)
    assert got == replace(DELIVERY, request=replace(REQUEST, **expected))
    assert decode_delivery(encode_delivery(got)) == got


def test_send_at_is_the_due_time() -> None:
    """A due time is the delivery's, not the request's."""
    assert update(send_at="2026-01-01T00:10:00Z") == replace(DELIVERY, due_at_ms=AT_MS + 600_000)


def test_headers_are_set_by_name() -> None:
    """A header that the update does not name stays; one that it names is replaced, whatever its case."""
    got = update(headers=[["authorization", "Bearer new"], ["X-New", "1"]])
    assert isinstance(got, Delivery)
    assert got.request.headers == (
        ("Content-Type", "application/json"),
        ("authorization", "Bearer new"),
        ("X-New", "1"),
    )


def test_multipart_brings_its_boundary() -> None:
    """The new body's type goes in the place of the old one's, whoever wrote that."""
    got = update(multipart=[{"name": "a", "body": "1"}])
    assert isinstance(got, Delivery)
    [content_type] = [value for name, value in got.request.headers if name == "Content-Type"]
    assert got.request.body.startswith(b"--" + content_type.partition("boundary=")[2].encode())


def test_json_brings_its_content_type() -> None:
    """A body in another form is told as what it is."""
    got = updated(replace(DELIVERY, request=replace(REQUEST, headers=())), b'{"json":{"a":1}}', DEFAULT_LIMITS, AT_MS)
    assert isinstance(got, Delivery)
    assert (got.request.body, got.request.headers) == (b'{"a":1}', (("Content-Type", "application/json"),))


def test_new_text_keeps_the_type_of_the_old() -> None:
    """A text is of the type that the task names, with or without other headers; a form is a form."""
    got = update(body="new", headers={"X-New": "1"})
    assert isinstance(got, Delivery)
    assert got.request.headers == (*REQUEST.headers, ("X-New", "1"))
    form = update(form={"a": "1"})
    assert isinstance(form, Delivery)
    assert dict(form.request.headers)["Content-Type"] == "application/x-www-form-urlencoded"


def test_long_number_is_refused_as_in_a_request() -> None:
    """The update is read as it was written: a number that readers would round is not sent on rounded."""
    refused = updated(DELIVERY, b'{"json": [12345678901234567890123]}', DEFAULT_LIMITS, AT_MS)
    assert isinstance(refused, Refused)
    assert refused.field == "json"


def test_url_of_another_domain_is_of_another_lane() -> None:
    """The lane follows the URL, so that the task is sent under the limits of where it goes."""
    got = update(url="https://other.example:8443/hook")
    assert isinstance(got, Delivery)
    assert got.lane == "other.example:8443"


def test_codes_of_a_policy_stay_unless_others_are_named() -> None:
    """New intervals do not forget which answers the task calls fatal."""
    got = update(retry={"intervals": []})
    assert isinstance(got, Delivery)
    assert got.request.retry.fatal_codes == REQUEST.retry.fatal_codes
    named = update(retry={"intervals": [], "fatal_codes": [409]})
    assert isinstance(named, Delivery)
    assert named.request.retry.fatal_codes is not None
    assert 409 in named.request.retry.fatal_codes.members


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "business",
        "business_id",
        "method",
        "success_codes",
        "delay",
        "rate_key",
        "sign",
        "metadata",
        "policy",
        "x",
    ],
)
def test_others_are_refused_by_name(name: str) -> None:
    """What a task is stays; the refusal names the field and what an update may change."""
    reason = f"{name} cannot be changed; an update changes {', '.join(CHANGEABLE)}"
    assert update(**{name: "1", "body": "new"}) == Refused(name, reason)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "ftp://x"}, "url"),
        ({"headers": {"Host": "x"}}, "headers"),
        ({"timeout_ms": 0}, "timeout_ms"),
        ({"priority": 11}, "priority"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"send_at": "2036-01-01T00:00:00Z"}, "send_at"),
        ({"retry": {"intervals": ["soon"]}}, "retry.intervals"),
        ({"body": "a", "json": 1}, "json"),
        ({}, None),
        ({"body": None}, None),
    ],
)
def test_values_are_checked_as_those_of_a_request(changes: dict[str, Any], field: str | None) -> None:
    """An update is refused for what a request would be refused for, and for changing nothing."""
    refused = update(**changes)
    assert isinstance(refused, Refused)
    assert (refused.field or "").startswith(field or "")
    assert refusal_of(orjson.dumps(changes), DEFAULT_LIMITS, AT_MS) == refused


@pytest.mark.parametrize("changes", [b"{", b"[]", b"7"])
def test_other_bytes_are_refused(changes: bytes) -> None:
    """Only an object is an update."""
    assert isinstance(updated(DELIVERY, changes, DEFAULT_LIMITS, AT_MS), Refused)


def test_good_update_has_no_refusal() -> None:
    """What may be laid over a task can be told before any task is known."""
    assert refusal_of(b'{"priority": 1}', DEFAULT_LIMITS, AT_MS) is None
