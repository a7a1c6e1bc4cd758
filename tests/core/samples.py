"""Deliveries and requests with sensible values, for tests that care about a few of them."""

from __future__ import annotations

from streamer.core.codes import Codes, parse_codes
from streamer.core.delivery import Delivery, Origin
from streamer.core.request import Request, RetryPolicy

NOW_MS = 1_700_000_000_000


def a_request(
    *,
    retry: RetryPolicy | None = None,
    success_codes: Codes | None = None,
    expires_at_ms: int | None = None,
) -> Request:
    """Return a request to a place that does not exist."""
    return Request(
        url="https://receiver.example/hook",
        retry=retry or RetryPolicy(),
        success_codes=success_codes,
        expires_at_ms=expires_at_ms,
    )


def a_delivery(request: Request | None = None, *, attempt: int = 1) -> Delivery:
    """Return a delivery of ``request`` that is due now."""
    return Delivery(
        task_id="tsk_1",
        business="acme",
        business_id=None,
        lane="receiver.example",
        request=request or a_request(),
        origin=Origin("requests", 0, 7, NOW_MS),
        accepted_at_ms=NOW_MS,
        due_at_ms=NOW_MS,
        attempt=attempt,
    )


def codes(*items: int | str) -> Codes:
    """Return a set of codes as a task writes them."""
    return parse_codes(items)
