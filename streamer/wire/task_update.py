"""An update as people write it: some fields of a request, laid over a task; all others are refused by name."""

from __future__ import annotations

from typing import Any

import orjson
from msgspec.structs import replace

from streamer.core.delivery import Delivery
from streamer.core.reading import Accepted, Refused
from streamer.core.request import Request, RetryPolicy
from streamer.wire.limits import Limits
from streamer.wire.request_body import BODY_FIELDS
from streamer.wire.request_reader import read_request

#: What an update may change, by the names that a request record has for it.
CHANGEABLE = ("url", "headers", "body", "timeout_ms", "retry", "send_at", "expires_at", "priority")
_NAMES = frozenset((*CHANGEABLE, *BODY_FIELDS))
#: Bodies that say of themselves what they are.
_TYPED = frozenset(("json", "form", "multipart"))
_ANY_URL = "https://example.com/"


def updated(delivery: Delivery, changes: bytes, limits: Limits, now_ms: int) -> Delivery | Refused:
    """Return the task as it shall go on, or why not; ``changes`` is a JSON object, read as a request record is.

    Headers are set by name: those that the update does not name stay. A policy's codes stay unless it names others. A
    ``url`` of another domain moves the task there.
    """
    given = _given(changes)
    if isinstance(given, Refused):
        return given
    read = _read(changes, given, delivery.request.url, limits, now_ms)
    return read if isinstance(read, Refused) else _laid_over(delivery, given, read)


def refusal_of(changes: bytes, limits: Limits, now_ms: int) -> Refused | None:
    """Return what is wrong with an update, whatever the task; None when it may be laid over one."""
    given = _given(changes)
    if isinstance(given, Refused):
        return given
    read = _read(changes, given, _ANY_URL, limits, now_ms)
    return read if isinstance(read, Refused) else None


def not_changeable(name: str) -> Refused:
    """Return the refusal of a field that an update may not change."""
    return Refused(name, f"{name} cannot be changed; an update changes {', '.join(CHANGEABLE)}")


def _given(changes: bytes) -> dict[str, Any] | Refused:
    """Return the fields that are given, or what is wrong with the update as a whole."""
    try:
        record = orjson.loads(changes)
    except orjson.JSONDecodeError as error:
        return Refused(None, f"the update is no JSON: {error}")
    if not isinstance(record, dict):
        return Refused(None, "an update must be a JSON object")
    given = {name: value for name, value in record.items() if value is not None}
    if not given:
        return Refused(None, f"nothing to change; an update changes {', '.join(CHANGEABLE)}")
    other = next((name for name in given if name not in _NAMES), None)
    return given if other is None else not_changeable(other[:60])


def _read(changes: bytes, given: dict[str, Any], url: str, limits: Limits, now_ms: int) -> Accepted | Refused:
    if "url" not in given:
        # Appended, not written anew: what readers make of a long number is not what was written.
        changes = changes.rstrip()[:-1] + b',"url":' + orjson.dumps(url) + b"}"
    return read_request(changes, (), limits, now_ms)


def _laid_over(delivery: Delivery, given: dict[str, Any], read: Accepted) -> Delivery:
    before, new = delivery.request, read.request
    has_body = any(name in given for name in BODY_FIELDS)
    request = replace(
        before,
        url=new.url,
        headers=_headers(before, new, given),
        body=new.body if has_body else before.body,
        timeout_ms=new.timeout_ms if "timeout_ms" in given else before.timeout_ms,
        retry=_retry(before.retry, new.retry, given["retry"]) if "retry" in given else before.retry,
        expires_at_ms=new.expires_at_ms if "expires_at" in given else before.expires_at_ms,
        priority=new.priority if "priority" in given else before.priority,
    )
    due_at_ms = delivery.due_at_ms if read.send_at_ms is None else read.send_at_ms
    return replace(delivery, request=request, lane=read.lane, due_at_ms=due_at_ms)


def _headers(before: Request, new: Request, given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    headers = new.headers
    typed = any(name.lower() == "content-type" for name, _ in before.headers)
    if typed and not given.keys() & _TYPED:
        # Behind those that were given stands a type which says only that the reader knows no better.
        headers = headers[: len(given.get("headers", ()))]
    named = {name.lower() for name, _ in headers}
    return (*(pair for pair in before.headers if pair[0].lower() not in named), *headers)


def _retry(before: RetryPolicy, new: RetryPolicy, written: dict[str, Any]) -> RetryPolicy:
    if written.get("retry_codes") is not None or written.get("fatal_codes") is not None:
        return new
    return replace(new, retry_codes=before.retry_codes, fatal_codes=before.fatal_codes)
