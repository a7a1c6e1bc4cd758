"""What each end says of the target."""

from __future__ import annotations

import pytest

from streamer.core.health import FAILURES, Health, health_of
from streamer.core.outcome import ErrorType, Failure, Response


@pytest.mark.parametrize(
    ("statuses", "health"),
    [
        (range(200, 300), Health.OK),
        ([429], Health.LIMITED),
        ([*range(300, 429), *range(430, 500)], Health.NEUTRAL),
        ([*range(500, 600), 100, 199, 600, 999], Health.FAILED),
    ],
)
def test_a_status_says_how_the_target_is(statuses: list[int], health: Health) -> None:
    """A 4xx shows it alive, a 429 alive and busy; a 5xx and what is no status at all are its faults."""
    assert {health_of(Response(status)) for status in statuses} == {health}


@pytest.mark.parametrize(
    ("error", "health"),
    [
        (ErrorType.DNS, Health.CONNECT_FAILED),
        (ErrorType.CONNECT, Health.CONNECT_FAILED),
        (ErrorType.TLS, Health.CONNECT_FAILED),
        (ErrorType.CONNECT_TIMEOUT, Health.CONNECT_FAILED),
        (ErrorType.FIRST_BYTE_TIMEOUT, Health.FAILED),
        (ErrorType.READ_TIMEOUT, Health.FAILED),
        (ErrorType.TOTAL_TIMEOUT, Health.FAILED),
        (ErrorType.UNKNOWN, Health.FAILED),
        (ErrorType.BLOCKED, Health.NONE),
        (ErrorType.CREDENTIALS, Health.NONE),
        (ErrorType.CLIENT_ERROR, Health.FAILED),
    ],
)
def test_a_failure_says_how_far_the_call_came(error: ErrorType, health: Health) -> None:
    """What was never sent says nothing; a failure of a kind that senders do not name counts as one."""
    assert health_of(Failure(error, "")) is health


def test_failures_are_those_that_are_the_targets() -> None:
    """A breaker counts these two and no other."""
    assert {Health.FAILED, Health.CONNECT_FAILED} == FAILURES
