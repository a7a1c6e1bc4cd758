"""A task that fails again and again: judged, decided and laid on tiers, from the first attempt to its end."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decide import decide
from streamer.core.judge import judge
from streamer.core.ladder import DEFAULT_TIERS, next_hop
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.request import Request, RetryPolicy
from streamer.core.verdict import Finish
from tests.core.samples import NOW_MS, a_delivery, a_request

End = Response | Failure

RETRYABLE: tuple[End, ...] = (
    Response(408),
    Response(425),
    Response(429),
    Response(500),
    Response(503),
    Failure(ErrorType.DNS, "no such host"),
    Failure(ErrorType.CONNECT, "refused", begun=False),
    Failure(ErrorType.TLS, "certificate expired", begun=False),
    Failure(ErrorType.CONNECT_TIMEOUT, "10 s passed", begun=False),
    Failure(ErrorType.READ_TIMEOUT, "30 s passed"),
    Failure(ErrorType.UNKNOWN, "connection reset"),
)


def journey(request: Request, ends: Sequence[End]) -> tuple[list[str], Finish, int]:
    """Play attempts that end as given; return tiers and rules in order, the end, and the attempts made."""
    steps: list[str] = []
    now_ms = NOW_MS
    for attempt, end in enumerate(ends, start=1):
        decision = decide(a_delivery(request, attempt=attempt), judge(request, end), now_ms, 0.5)
        steps.append(decision.rule)
        if isinstance(decision, Finish):
            return steps, decision, attempt
        while hop := next_hop(DEFAULT_TIERS, now_ms, decision.due_at_ms):
            steps.append(hop.tier.name)
            now_ms = hop.release_at_ms
        assert now_ms == decision.due_at_ms, "released early or late"
    raise AssertionError("the attempts ended before the task did")


def test_twelve_failures_take_the_tiers_that_their_intervals_name() -> None:
    """Eleven different failures climb the ladder tier by tier, and a twelfth, gone, ends the task."""
    tiers = [tier.name for tier in DEFAULT_TIERS[:11]]
    request = a_request(retry=RetryPolicy(intervals_ms=tuple(tier.delay_ms for tier in DEFAULT_TIERS[:11])))
    steps, end, attempts = journey(request, [*RETRYABLE, Response(410)])
    rules = ["default.408", "default.425", "default.429", "default.5xx", "default.5xx", "default.dns"]
    rules += ["default.connect", "default.tls", "default.connect_timeout", "default.read_timeout"]
    rules += ["default.unknown"]
    expected = [step for pair in zip(rules, tiers, strict=True) for step in pair]
    assert steps == [*expected, "default.410"]
    assert (end.state, end.reason, attempts) == (State.FAILED, "gone", 12)


def test_the_default_policy_ends_exhausted() -> None:
    """Five server errors use up the default policy by way of 1 m, 5 m, 30 m and 2 h."""
    steps, end, attempts = journey(a_request(), [Response(500)] * 6)
    assert steps[1::2] == ["1m", "5m", "30m", "2h"]
    assert (end.state, end.reason, attempts) == (State.FAILED, "exhausted", 5)


def test_a_fatal_answer_ends_a_task_at_its_first_attempt() -> None:
    """An answer that no repetition changes costs one attempt and no tier."""
    for status in (400, 401, 403):
        steps, end, attempts = journey(a_request(), [Response(status)])
        assert (steps, end.state, attempts) == ([f"default.{status}"], State.FAILED, 1)


@given(
    st.lists(st.sampled_from(RETRYABLE), min_size=11, max_size=11),
    st.lists(st.integers(1, 10**9), max_size=10),
)
def test_every_task_ends_after_the_attempts_of_its_policy(ends: list[End], intervals: list[int]) -> None:
    """Whatever fails, a task has one attempt more than intervals, and each wait ends when it is due."""
    request = a_request(retry=RetryPolicy(intervals_ms=tuple(intervals)))
    _, end, attempts = journey(request, ends)
    assert (end.reason, attempts) == ("exhausted", len(intervals) + 1)
