"""Outgoing headers: a closed list, after the caller's own."""

from __future__ import annotations

import pytest

from streamer.adapters.http.headers import OUTGOING, outgoing_headers
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
    """With everything set exactly the documented names are added, each once."""
    names = [name for name, _ in headers_of(Request("http://a/", traceparent="00-1-2-01"))]
    assert sorted(names) == sorted(OUTGOING)


def test_values_tell_task_attempt_and_time() -> None:
    """Id, key, attempt and the second of sending stand in their headers."""
    sent = dict(headers_of(Request("http://a/", body=b"x")))
    assert sent["webhook-id"] == sent["Idempotency-Key"] == sent["X-Streamer-Task"] == TASK_ID
    assert sent["X-Streamer-Attempt"] == "2"
    assert sent["webhook-timestamp"] == "1732291200"
    assert sent["User-Agent"] == "streamer/9"
    assert "traceparent" not in sent
    assert "Content-Length" not in sent


@pytest.mark.parametrize("name", ["user-agent", "IDEMPOTENCY-KEY", "TraceParent"])
def test_callers_own_value_wins(name: str) -> None:
    """A header that the caller may set is sent once, with the caller's value."""
    request = Request("http://a/", headers=((name, "mine"),), traceparent="00-1-2-01")
    sent = [(n, v) for n, v in headers_of(request) if n.lower() == name.lower()]
    assert sent == [(name, "mine")]


@pytest.mark.parametrize(("method", "said"), [("POST", True), ("PUT", True), ("GET", False), ("DELETE", False)])
def test_empty_body_is_said_where_one_is_expected(method: str, said: bool) -> None:
    """A POST without a body says so, because some receivers answer 411 else; a GET does not."""
    assert (("Content-Length", "0") in headers_of(Request("http://a/", method=method))) is said
