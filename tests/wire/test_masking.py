"""What people read has no values of sensitive headers, URL parameters and fields; the list is longer by settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.core.emit import DeadLetterOf
from streamer.core.ladder import Tier
from streamer.core.outcome import Response
from streamer.wire.masking import USUAL, extended
from streamer.wire.outgoing import Encoder
from streamer.wire.request_mask import masked_record, masked_request
from streamer.wire.result_mask import masked_result
from streamer.wire.topics import Topics
from tests.wire.samples import DELIVERY, EXCHANGE, REQUEST, result

TOPICS = Topics("streamer.", 12, (Tier("5s", 5_000),))
OWN = extended(headers=["x-own"], query=["pin"], fields=["card", "cvc"])

URLS = [
    ("https://example.com/a/b", "https://example.com/a/b"),
    ("https://example.com/?a=1&token=hunter2&b=2", "https://example.com/?a=1&token=***&b=2"),
    ("https://example.com/?API_KEY=hunter2", "https://example.com/?API_KEY=***"),
    ("https://example.com/?api%5Fkey=hunter2", "https://example.com/?api%5Fkey=***"),
    ("https://example.com/?sig=a/b?c&d=1", "https://example.com/?sig=***&d=1"),
    ("https://example.com/#access_token=hunter2", "https://example.com/#access_token=***"),
    ("https://example.com/?token=${secret:a}", "https://example.com/?token=***"),
    ("https://example.com/?X-Amz-Signature=ab12&X-Amz-Date=1", "https://example.com/?X-Amz-Signature=***&X-Amz-Date=1"),
    ("https://me:hunter2@example.com/", "https://***@example.com/"),
    ("https://example.com/?mail=a@b.c", "https://example.com/?mail=a@b.c"),
    ("led to https://example.com/?token=hunter2 and on", "led to https://example.com/?token=*** and on"),
    ("https://example.com/?tokens=1&notoken=2&=3&token", "https://example.com/?tokens=1&notoken=2&=3&token"),
]
BODIES = [
    (b'{"card": "4111"}', b'{"card":"***"}'),
    (
        b'{"a": [{"CVC": 123, "b": 1}], "n": {"card": {"no": "4111"}}}',
        b'{"a":[{"CVC":"***","b":1}],"n":{"card":"***"}}',
    ),
    (b'{"a": 1.50}', b'{"a": 1.50}'),
    (b'{"a": 1, "card": "41\\"11", "b', b'{"a": 1, "card": "***", "b'),
    (b'{"a": 1, "cvc": 123, "card": "4111', b'{"a": 1, "cvc": "***", "card": "***"'),
    (b"a=1&card=4111&b=2", b"a=1&card=***&b=2"),
    (b"card=4111", b"card=***"),
    (b"discard=4111 \xff", b"discard=4111 \xff"),
    (
        b'--b\r\nContent-Disposition: form-data; name="Card"\r\n\r\n41\r\n--11\r\n--b\r\n; name="a"\r\n\r\n1\r\n--b--\r\n',
        b'--b\r\nContent-Disposition: form-data; name="Card"\r\n\r\n***\r\n--b\r\n; name="a"\r\n\r\n1\r\n--b--\r\n',
    ),
    (b'--b\r\nA: x; name="cvc"\r\nB: y\r\n\r\n123', b'--b\r\nA: x; name="cvc"\r\nB: y\r\n\r\n***'),
    (b"", b""),
]


@pytest.mark.parametrize(("url", "shown"), URLS)
def test_urls_are_shown_without_the_values_of_sensitive_parameters(url: str, shown: str) -> None:
    """Names are compared without case and escapes; everything else stays as it was written."""
    assert USUAL.shown_url(url) == shown


def test_headers_are_shown_without_the_values_of_sensitive_ones() -> None:
    """Order and spelling stay; a header that is a URL is masked as one."""
    headers = [("AUTHORIZATION", "Bearer hunter2"), ("X-Own", "a"), ("Location", "/next?token=hunter2&a=1")]
    assert USUAL.shown_headers(headers) == [
        ("AUTHORIZATION", "***"),
        ("X-Own", "a"),
        ("Location", "/next?token=***&a=1"),
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(["Cookie", "x-own", "X-OWN", "Location", "date", "x" * 80]) | st.text(), st.just("v"))
    )
)
def test_headers_that_are_shown_whole_are_known_to_be(headers: list[tuple[str, str]]) -> None:
    """Asked once or more, of many names or few: with a name that is looked at they never are."""
    for masking in (USUAL, OWN):
        watched = masking.headers | {"location"}
        for _ in range(2):
            assert masking.shows_all(headers) is not any(name.lower() in watched for name, _ in headers)
        if masking.shows_all(headers):
            assert masking.shown_headers(headers) == headers


def test_an_installation_adds_names() -> None:
    """Its own stand beside what always is masked."""
    assert OWN.shown_headers([("x-OWN", "a"), ("cookie", "b")]) == [("x-OWN", "***"), ("cookie", "***")]
    assert OWN.shown_url("/?PIN=1&token=2&a=3") == "/?PIN=***&token=***&a=3"


@pytest.mark.parametrize(("body", "shown"), BODIES)
def test_fields_of_bodies_are_masked(body: bytes, shown: bytes) -> None:
    """JSON at any depth, forms, and JSON that was cut off; a body without such a field keeps its very bytes."""
    assert OWN.shown_body(body) == shown


def test_bodies_are_left_alone_where_no_field_is_named() -> None:
    """Without the setting a body is kept as it came."""
    assert USUAL.shown_body(b'{"password": "hunter2"}') == b'{"password": "hunter2"}'


def test_deep_bodies_are_masked() -> None:
    """A peer chooses the depth, and gets no stack overflow for it."""
    depth = 900
    body = b'{"a":' * depth + b'{"card":"4111"}' + b"}" * depth
    assert b"4111" not in OWN.shown_body(body)


@given(st.binary(max_size=200), st.sampled_from([b'{"card": "', b"card=", b'"cvc":']))
def test_any_bytes_can_be_masked(tail: bytes, head: bytes) -> None:
    """Whatever a peer sends, masking raises nothing."""
    assert isinstance(OWN.shown_body(head + tail), bytes)


def test_requests_are_shown_masked_whatever_their_types() -> None:
    """What a producer wrote is shown as far as it can be read."""
    request = {"url": "https://e.test/?token=1", "headers": {"Cookie": "a", "X-Own": "b"}, "body": "c"}
    shown = {"url": "https://e.test/?token=***", "headers": {"Cookie": "***", "X-Own": "b"}, "body": "c"}
    assert masked_request(request, USUAL) == shown
    odd = {"url": 1, "headers": [["Cookie", "a"], ["Cookie", 1], "b", [1, 2]]}
    assert masked_request(odd, USUAL) == {"url": 1, "headers": [["Cookie", "***"], ["Cookie", 1], "b", [1, 2]]}
    envelope = json.dumps({"specversion": "1.0", "data": request}).encode()
    assert json.loads(masked_record(envelope, USUAL)) == {"specversion": "1.0", "data": shown}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"json": {"a": [{"card": 1}]}}, {"json": {"a": [{"card": "***"}]}}),
        ({"form": {"Card": ["4111"], "a": "1"}}, {"form": {"Card": "***", "a": "1"}}),
        ({"body": "card=4111"}, {"body": "card=***"}),
        ({"body_base64": "Y2FyZD00MTEx"}, {"body_base64": "Y2FyZD0qKio="}),
        ({"body_base64": "card=4111"}, {"body_base64": "***"}),
        (
            {"multipart": [{"name": "CARD", "body": "4111"}, {"name": "a", "json": {"cvc": 1}}, 1]},
            {"multipart": [{"name": "CARD", "body": "***"}, {"name": "a", "json": {"cvc": "***"}}, 1]},
        ),
    ],
)
def test_bodies_of_requests_are_shown_without_an_installations_fields(
    fields: dict[str, Any], shown: dict[str, Any]
) -> None:
    """In whichever way a producer gives a body; where an installation names no fields it stays as it is."""
    assert masked_request(fields, OWN) == shown
    assert masked_request(fields, USUAL) == fields


def test_results_are_shown_by_the_names_of_today() -> None:
    """A result that was written before a name was added is masked when it is shown, and a hash that would tell goes."""
    told = {
        "headers": [["X-Own", "a"]],
        "body": '{"card":"4111"}',
        "body_hash": "sha256:0",
        "request": {"url": "https://e.test/?pin=1", "headers": [["X-Own", "b"]], "body_hash": "sha256:1"},
        "why": {"rule": "r", "detail": "to https://e.test/?pin=1"},
        "error": "https://e.test/?pin=1",
    }
    assert masked_result(told, OWN) == {
        "headers": [["X-Own", "***"]],
        "body": '{"card":"***"}',
        "request": {"url": "https://e.test/?pin=***", "headers": [["X-Own", "***"]], "body_hash": "sha256:1"},
        "why": {"rule": "r", "detail": "to https://e.test/?pin=***"},
        "error": "https://e.test/?pin=***",
    }
    assert masked_result(told, USUAL) == told


@pytest.mark.parametrize("value", [b"no json \xff", b"[1]", b'{"url": "https://e.test/", "body": "x"}'])
def test_records_without_a_secret_are_shown_as_they_are(value: bytes) -> None:
    """Bytes that hold nothing to mask are not written anew."""
    assert masked_record(value, USUAL) == value


def test_results_and_dead_letters_are_masked() -> None:
    """What people read of a task has no values of the lists; the dead letter's task is whole, so that it can be replayed."""
    url = "https://example.com/hooks?token=hunter2"
    request = replace(REQUEST, url=url)
    delivery = replace(DELIVERY, request=request)
    answer = Response(302, (("Location", "/?pin=hunter2"), ("Set-Cookie", "hunter2")), b'{"card":"hunter2"}')
    told = result(delivery=delivery, exchange=replace(EXCHANGE, end=answer, sent_headers=request.headers))
    encode = Encoder(TOPICS, OWN)
    record = encode(told).value or b""
    assert b"hunter2" not in record
    assert json.loads(record)["request"]["url"] == "https://example.com/hooks?token=***"
    letter = json.loads(encode(DeadLetterOf(delivery, "exhausted", told, 0)).value or b"")
    assert letter["delivery"]["u"] == url
    del letter["delivery"]
    assert "hunter2" not in json.dumps(letter)
