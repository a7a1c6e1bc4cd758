"""Outgoing headers: a closed list, after the caller's own."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamer.adapters.http.headers import (
    AUTHORIZATION,
    OUTGOING,
    TRACESTATE,
    WEBHOOK_SIGNATURE,
    outgoing_headers,
    refusal_of,
)
from streamer.core.delivery import Delivery, trace_of
from streamer.core.outcome import ErrorType
from streamer.core.request import Request
from tests.support.sending import TASK_ID, delivery_of

NOW_MS = 1_732_291_200_999


def headers_of(request: Request) -> list[tuple[str, str]]:
    """Return what is sent for a request."""
    return outgoing_headers(delivery_of(request, attempt=2), NOW_MS, "streamer/9")


def test_callers_headers_come_first_and_unchanged() -> None:
    """Order, spelling and repeats are the caller's."""
    given = (("X-b", "1"), ("x-a", "2"), ("X-B", "3"))
    assert tuple(headers_of(Request("http://a/", headers=given, body=b"x"))[:3]) == given


def test_ours_are_the_closed_list() -> None:
    """With everything set exactly the documented names are added, each once; three of them come from elsewhere."""
    delivery = replace(delivery_of(Request("http://a/", traceparent="00-1-2-01")), business_id="order 17")
    names = [name for name, _ in outgoing_headers(delivery, NOW_MS, "streamer/9")]
    assert sorted([*names, AUTHORIZATION, TRACESTATE, WEBHOOK_SIGNATURE]) == sorted(header.name for header in OUTGOING)


def test_values_tell_task_attempt_and_time() -> None:
    """Id, key, attempt and the second of sending stand in their headers."""
    sent = dict(headers_of(Request("http://a/", body=b"x")))
    assert sent["webhook-id"] == sent["Idempotency-Key"] == sent["X-Streamer-Task"] == TASK_ID
    assert sent["X-Streamer-Attempt"] == "2"
    assert sent["webhook-timestamp"] == "1732291200"
    assert sent["User-Agent"] == "streamer/9"
    assert sent["X-Streamer-Business"] == "acme"
    assert "X-Streamer-Business-Id" not in sent
    assert sent["X-Request-ID"] == f"{TASK_ID}.1.2"
    assert "Content-Length" not in sent


def test_a_request_id_is_one_attempts() -> None:
    """Attempts and generations have ids of their own, so that a target's log tells them apart."""
    first = delivery_of(Request("http://a/"))
    ids = {
        dict(outgoing_headers(each, NOW_MS, "s"))["X-Request-ID"]
        for each in (first, replace(first, attempt=2), replace(first, generation=2), replace(first, task_id="other"))
    }
    assert len(ids) == 4


@pytest.mark.parametrize("business_id", ["a\u2028b", "ü", " a", "a ", "日本"])
def test_a_business_id_that_no_header_can_carry_is_left_out(business_id: str) -> None:
    """The call goes out all the same."""
    delivery = replace(delivery_of(Request("http://a/")), business_id=business_id)
    assert "X-Streamer-Business-Id" not in dict(outgoing_headers(delivery, NOW_MS, "s"))


def test_without_a_producers_trace_one_is_made() -> None:
    """It is the task's: every attempt and every record of the task has the same."""
    delivery = delivery_of(Request("http://a/"))
    again: Delivery = replace(delivery, attempt=2, generation=3)
    made = [dict(outgoing_headers(each, NOW_MS, "s"))["traceparent"] for each in (delivery, again)]
    assert made == [trace_of(delivery)] * 2
    assert made[0].startswith("00-")
    given = delivery_of(Request("http://a/", traceparent="00-1-2-01"))
    assert dict(outgoing_headers(given, NOW_MS, "s"))["traceparent"] == "00-1-2-01"


def test_a_record_with_forbidden_headers_is_not_sent() -> None:
    """Whoever wrote the record: what acceptance would refuse fails as blocked, with the reason."""
    failure = refusal_of(Request("http://a/", headers=(("Host", "b"),)))
    assert failure is not None
    assert (failure.error, failure.begun) == (ErrorType.BLOCKED, False)
    assert failure.message == "headers may not set Host: it is made from url"
    assert refusal_of(Request("http://a/", headers=(("X-A", "b"),))) is None


@pytest.mark.parametrize("name", ["user-agent", "IDEMPOTENCY-KEY", "TraceParent", "x-request-id"])
def test_callers_own_value_wins(name: str) -> None:
    """A header that the caller may set is sent once, with the caller's value."""
    request = Request("http://a/", headers=((name, "mine"),), traceparent="00-1-2-01")
    sent = [(n, v) for n, v in headers_of(request) if n.lower() == name.lower()]
    assert sent == [(name, "mine")]


@pytest.mark.parametrize(("method", "said"), [("POST", True), ("PUT", True), ("GET", False), ("DELETE", False)])
def test_empty_body_is_said_where_one_is_expected(method: str, said: bool) -> None:
    """A POST without a body says so, because some receivers answer 411 else; a GET does not."""
    assert (("Content-Length", "0") in headers_of(Request("http://a/", method=method))) is said
