"""The headers of a call: the caller's as given, and the closed list of ours."""

from __future__ import annotations

from streamer.core.delivery import Delivery, webhook_id

USER_AGENT = "User-Agent"
WEBHOOK_ID = "webhook-id"
WEBHOOK_TIMESTAMP = "webhook-timestamp"
IDEMPOTENCY_KEY = "Idempotency-Key"
ATTEMPT = "X-Streamer-Attempt"
TASK = "X-Streamer-Task"
TRACEPARENT = "traceparent"
CONTENT_LENGTH = "Content-Length"

#: Every header that we add. The client adds Host, Accept and, with a body, Content-Length.
#: Of these the caller may set User-Agent, Idempotency-Key and traceparent; then ours is left out.
OUTGOING = (
    WEBHOOK_ID,
    WEBHOOK_TIMESTAMP,
    IDEMPOTENCY_KEY,
    ATTEMPT,
    TASK,
    USER_AGENT,
    TRACEPARENT,
    CONTENT_LENGTH,
)

#: Methods for which an empty body is worth saying (RFC 9110 §8.6): some receivers answer 411 else.
_WITH_CONTENT = ("POST", "PUT", "PATCH")


def outgoing_headers(delivery: Delivery, now_ms: int, user_agent: str) -> list[tuple[str, str]]:
    """Return the headers to send, the caller's first and in their order."""
    request = delivery.request
    name = webhook_id(delivery)
    headers = list(request.headers)
    given = {name.lower() for name, _ in headers}
    headers += (
        (WEBHOOK_ID, name),
        (WEBHOOK_TIMESTAMP, str(now_ms // 1000)),
        (ATTEMPT, str(delivery.attempt)),
        (TASK, delivery.task_id),
    )
    if "idempotency-key" not in given:
        headers.append((IDEMPOTENCY_KEY, name))
    if "user-agent" not in given:
        headers.append((USER_AGENT, user_agent))
    if request.traceparent is not None and "traceparent" not in given:
        headers.append((TRACEPARENT, request.traceparent))
    if not request.body and request.method in _WITH_CONTENT:
        headers.append((CONTENT_LENGTH, "0"))
    return headers
