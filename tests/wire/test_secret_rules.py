"""Where a request may name secrets is checked when it is accepted, and when a policy is written."""

from __future__ import annotations

import json

import pytest

from streamer.core.reading import Accepted, Refused
from streamer.wire.config_send import read_headers
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request
from streamer.wire.unreadable import UnreadableRecord

URL = "https://example.com/hooks"
REFUSED = [
    ({"url": "https://${secret:host}/hooks"}, "url", "unreadable host or port"),
    ({"url": "https://${secret:host}.example.com/hooks"}, "url", "unreadable host or port"),
    ({"url": "https://example.com:${secret:port}/"}, "url", "unreadable host or port"),
    ({"url": "https://${secret:user}@example.com/"}, "url", "user or password"),
    ({"url": "${secret:scheme}://example.com/"}, "url", "must begin with http"),
    ({"url": URL + "?key=${secret:}"}, "url", "without a name behind it"),
    ({"url": URL, "headers": {"X-Key": "${secret:hunter2"}}, "headers", "the value of X-Key has ${secret: without"),
]


def read(record: dict[str, object]) -> Accepted | Refused:
    """Read a request."""
    return read_request(json.dumps(record).encode(), (), DEFAULT_LIMITS, 0)


def test_secrets_are_named_in_headers_path_and_query() -> None:
    """The request travels with the references as they were written."""
    url = URL + "/${secret:path}?key=${secret:query}&doc=$${secret:"
    found = read({"url": url, "headers": {"Authorization": "Bearer ${secret:token}"}})
    assert isinstance(found, Accepted)
    assert (found.request.url, found.lane) == (url, "example.com")
    assert ("Authorization", "Bearer ${secret:token}") in found.request.headers


@pytest.mark.parametrize(("record", "field", "reason"), REFUSED)
def test_a_secret_elsewhere_is_refused(record: dict[str, object], field: str, reason: str) -> None:
    """Scheme, user, host and port are the task's own words; the refusal names the field and shows no value."""
    found = read(record)
    assert isinstance(found, Refused)
    assert (found.field, reason in found.reason) == (field, True), found
    assert "hunter2" not in found.reason


def test_a_policys_headers_are_checked_too() -> None:
    """What requests would be filled with must be able to be sent."""
    assert read_headers({"X-Key": "${secret:a}"}) == (("X-Key", "${secret:a}"),)
    with pytest.raises(UnreadableRecord, match="the value of X-Key has"):
        read_headers({"X-Key": "${secret:"})
