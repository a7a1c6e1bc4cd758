"""The headers of a call: the caller's as given, and the closed list of ours; the docs' table is made from that list."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.core.delivery import Delivery, trace_of, webhook_id
from streamer.core.outcome import ErrorType, Failure
from streamer.core.request import Request
from streamer.wire.header_rules import MAX_VALUE_BYTES, check_headers, is_header_value
from streamer.wire.unreadable import UnreadableRecord

USER_AGENT = "User-Agent"
WEBHOOK_ID = "webhook-id"
WEBHOOK_TIMESTAMP = "webhook-timestamp"
WEBHOOK_SIGNATURE = "webhook-signature"
AUTHORIZATION = "Authorization"
IDEMPOTENCY_KEY = "Idempotency-Key"
REQUEST_ID = "X-Request-ID"
ATTEMPT = "X-Streamer-Attempt"
TASK = "X-Streamer-Task"
BUSINESS = "X-Streamer-Business"
BUSINESS_ID = "X-Streamer-Business-Id"
TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
CONTENT_LENGTH = "Content-Length"


@dataclass(frozen=True, slots=True)
class OutgoingHeader:
    """One header that we add: its name, what it tells, and whether the caller's own takes its place."""

    name: str
    meaning: str
    callers: bool = False


#: Every header that we add; Content-Type is the body's. The client adds Host, Accept and, with a body, Content-Length.
OUTGOING = (
    OutgoingHeader(
        WEBHOOK_ID,
        "What tells a repeat: the task's id, the same at every attempt, retry and replay; `<id>-g<n>` after an update.",
    ),
    OutgoingHeader(WEBHOOK_TIMESTAMP, "When this attempt was begun, in epoch seconds."),
    OutgoingHeader(
        WEBHOOK_SIGNATURE, "Signatures of id, timestamp and body (Standard Webhooks), for a task with `sign`."
    ),
    OutgoingHeader(AUTHORIZATION, "The domain's credentials, where `config` has some for the task's business.", True),
    OutgoingHeader(IDEMPOTENCY_KEY, "The same as `webhook-id`.", True),
    OutgoingHeader(
        REQUEST_ID,
        "One attempt: `<task>.<generation>.<attempt>`. Borne again after a crash, or with a new OAuth token.",
        True,
    ),
    OutgoingHeader(ATTEMPT, "The attempt's number, from 1; a replay begins again."),
    OutgoingHeader(TASK, "The task's id, by which results name it."),
    OutgoingHeader(BUSINESS, "The task's business."),
    OutgoingHeader(
        BUSINESS_ID,
        "The task's `business_id`, where it has one that a header can carry: visible ASCII characters, blanks between them.",
    ),
    OutgoingHeader(USER_AGENT, "The setting `http.user_agent`.", True),
    OutgoingHeader(
        TRACEPARENT,
        "W3C trace context: the producer's, else one that is derived from the task's id, the same at every attempt.",
        True,
    ),
    OutgoingHeader(TRACESTATE, "The producer's, where it came beside the producer's `traceparent`.", True),
    OutgoingHeader(CONTENT_LENGTH, "`0`, for a POST, PUT or PATCH without a body (RFC 9110 §8.6)."),
)

#: Methods for which an empty body is worth saying (RFC 9110 §8.6): some receivers answer 411 else.
_WITH_CONTENT = ("POST", "PUT", "PATCH")


def outgoing_headers(delivery: Delivery, now_ms: int, user_agent: str) -> list[tuple[str, str]]:
    """Return the headers to send, the caller's first and in their order, without what needs a secret."""
    request = delivery.request
    task, name, attempt = delivery.task_id, webhook_id(delivery), str(delivery.attempt)
    given = {own.lower() for own, _ in request.headers}
    headers = [
        *request.headers,
        (WEBHOOK_ID, name),
        (WEBHOOK_TIMESTAMP, str(now_ms // 1000)),
        (ATTEMPT, attempt),
        (TASK, task),
        (BUSINESS, delivery.business),
    ]
    business_id = delivery.business_id
    if business_id is not None and is_header_value(business_id) and len(business_id) <= MAX_VALUE_BYTES:
        headers.append((BUSINESS_ID, business_id))
    if "idempotency-key" not in given:
        headers.append((IDEMPOTENCY_KEY, name))
    if "x-request-id" not in given:
        headers.append((REQUEST_ID, f"{task}.{delivery.generation}.{attempt}"))
    if "user-agent" not in given:
        headers.append((USER_AGENT, user_agent))
    if "traceparent" not in given:
        headers.append((TRACEPARENT, trace_of(delivery)))
    if not request.body and request.method in _WITH_CONTENT:
        headers.append((CONTENT_LENGTH, "0"))
    return headers


def refusal_of(request: Request) -> Failure | None:
    """Return why the request's own headers may not go on the wire, whoever wrote its record; None when they may."""
    try:
        check_headers(request.headers)
    except UnreadableRecord as error:
        return Failure(ErrorType.BLOCKED, error.reason, begun=False)
    return None
