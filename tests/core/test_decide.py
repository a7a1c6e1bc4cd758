"""What follows from an attempt: exactly one of an end and a due time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decide import decide, expired
from streamer.core.judge import judge
from streamer.core.lifecycle import TERMINAL, State
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.request import Backoff, RetryPolicy
from streamer.core.verdict import Finish, RetryAt
from tests.core.samples import NOW_MS, a_delivery, a_request, codes

MIDDLE = 0.5

ends = st.integers(100, 600).map(Response) | st.sampled_from(
    [Failure(error, "it broke") for error in (ErrorType.DNS, ErrorType.TLS, ErrorType.BLOCKED)]
)


def decided(
    end: Response | Failure,
    *,
    attempt: int = 1,
    expires_in_ms: int | None = None,
    retry: RetryPolicy | None = None,
    not_before_ms: int = 0,
) -> Finish | RetryAt:
    """Return the decision on one exchange's end, by the default policy."""
    expires_at_ms = None if expires_in_ms is None else NOW_MS + expires_in_ms
    request = a_request(retry=retry, expires_at_ms=expires_at_ms)
    delivery = a_delivery(request, attempt=attempt)
    return decide(delivery, judge(request, end), NOW_MS, MIDDLE, not_before_ms)


@pytest.mark.parametrize("attempt", [1, 5, 6])
def test_a_success_ends_the_task(attempt: int) -> None:
    """A success is the end, on the last attempt too."""
    assert decided(Response(204), attempt=attempt) == Finish(State.SUCCEEDED, "delivered", "success.2xx")


def test_a_success_past_the_expiry_is_still_a_success() -> None:
    """What was delivered late was delivered."""
    assert decided(Response(200), expires_in_ms=-1) == Finish(State.SUCCEEDED, "delivered", "success.2xx")


@pytest.mark.parametrize(
    ("end", "reason", "rule"),
    [
        (Response(401), "auth_error", "default.401"),
        (Response(404), "client_error", "default.4xx"),
        (Response(410), "gone", "default.410"),
        (Response(302), "redirect", "default.3xx"),
        (Failure(ErrorType.BLOCKED, "10.0.0.1 is private"), "blocked", "default.blocked"),
    ],
)
def test_what_is_not_retryable_fails_at_once(end: Response | Failure, reason: str, rule: str) -> None:
    """The reason of such an end is the error type."""
    assert decided(end) == Finish(State.FAILED, reason, rule)


def test_a_task_may_call_a_server_error_fatal() -> None:
    """The task's own fatal code ends it with the error type as reason and the task's rule."""
    policy = RetryPolicy(fatal_codes=codes("5xx"))
    assert decided(Response(500), retry=policy) == Finish(State.FAILED, "server_error", "task.fatal_codes")


def test_what_is_retryable_is_due_again() -> None:
    """The due time is the policy's, and the rule the judgement's."""
    assert decided(Response(500), attempt=2) == RetryAt(NOW_MS + 300_000, "default.5xx")


def test_attempts_run_out() -> None:
    """After the last interval the task fails as exhausted, and the rule still says what the answer was."""
    assert decided(Response(429), attempt=5) == Finish(State.FAILED, "exhausted", "default.429")


@pytest.mark.parametrize("expires_in_ms", [-1, 0, 59_999, 60_000])
def test_a_retry_past_the_expiry_is_not_waited_for(expires_in_ms: int) -> None:
    """When the next attempt would come at the expiry or later, the task expires now."""
    found = decided(Response(500), expires_in_ms=expires_in_ms)
    assert found == Finish(State.EXPIRED, "expired", "default.5xx")


def test_a_retry_just_before_the_expiry_is_made() -> None:
    """A retry that comes a millisecond before the expiry is worth it."""
    assert decided(Response(500), expires_in_ms=60_001) == RetryAt(NOW_MS + 60_000, "default.5xx")


def test_exhausted_comes_before_expired() -> None:
    """A task without attempts left would not have been sent, expired or not."""
    found = decided(Response(500), attempt=5, expires_in_ms=-1)
    assert found == Finish(State.FAILED, "exhausted", "default.5xx")


@pytest.mark.parametrize(
    ("not_before_ms", "due_at_ms"),
    [(NOW_MS, NOW_MS + 60_000), (NOW_MS + 60_001, NOW_MS + 60_001)],
)
def test_a_receiver_may_ask_for_a_longer_wait_but_not_for_a_shorter(not_before_ms: int, due_at_ms: int) -> None:
    """The due time is raised, never lowered."""
    assert decided(Response(503), not_before_ms=not_before_ms) == RetryAt(due_at_ms, "default.5xx")


def test_a_raised_due_time_can_expire_the_task() -> None:
    """The expiry is asked after the due time was raised."""
    found = decided(Response(503), expires_in_ms=90_000, not_before_ms=NOW_MS + 90_000)
    assert found == Finish(State.EXPIRED, "expired", "default.5xx")


@pytest.mark.parametrize(("at_ms", "answer"), [(-1, False), (0, True), (1, True)])
def test_a_task_expires_at_its_expiry(at_ms: int, answer: bool) -> None:
    """At the very instant of expires_at nothing is sent any more."""
    assert expired(a_delivery(a_request(expires_at_ms=NOW_MS)), NOW_MS + at_ms) is answer


def test_a_task_without_expiry_never_expires() -> None:
    """No expires_at, no end by time."""
    assert not expired(a_delivery(), 10**18)


@given(
    ends,
    st.integers(1, 12),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.integers(NOW_MS - 10**9, NOW_MS + 10**9),
    st.integers(0, NOW_MS + 10**9),
)
def test_a_decision_is_an_end_or_a_retry_worth_making(
    end: Response | Failure, attempt: int, unit: float, expires_at_ms: int | None, not_before_ms: int
) -> None:
    """An end is terminal; a retry follows a retryable attempt, lies ahead, and comes before the expiry."""
    policy = RetryPolicy(intervals_ms=None, backoff=Backoff(jitter=1.0), max_attempts=10)
    request = a_request(retry=policy, expires_at_ms=expires_at_ms)
    judgement = judge(request, end)
    found = decide(a_delivery(request, attempt=attempt), judgement, NOW_MS, unit, not_before_ms)
    if isinstance(found, Finish):
        assert found.state in TERMINAL
        assert (found.state is State.SUCCEEDED) is (judgement.outcome == "success")
    else:
        assert judgement.retryable
        assert attempt < 10
        assert found.due_at_ms >= max(NOW_MS, not_before_ms)
        assert expires_at_ms is None or found.due_at_ms < expires_at_ms
