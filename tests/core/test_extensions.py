"""What an extension's word makes of a judgement and of a planned retry, and how one that fails is told of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decide import expired, redecide
from streamer.core.extension_error import MAX_CHARS, Misfit, one_line, told_error
from streamer.core.judge import judge, overruled
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Outcome, Response
from streamer.core.request import Backoff, RetryPolicy
from streamer.core.retry import next_retry_at, retries_left
from streamer.core.send_policy import Meaning
from streamer.core.verdict import Finish, Judgement, RetryAt, noted
from tests.core.samples import NOW_MS, a_delivery, a_request

instants = st.integers(NOW_MS - 10_000, NOW_MS + 10_000)


@pytest.mark.parametrize(
    ("status", "outcome", "error_type"),
    [
        (200, Outcome.CLIENT_ERROR, ErrorType.EXTENSION),
        (204, Outcome.CLIENT_ERROR, ErrorType.EXTENSION),
        (404, Outcome.CLIENT_ERROR, ErrorType.CLIENT_ERROR),
        (429, Outcome.RATE_LIMITED, ErrorType.RATE_LIMIT),
        (503, Outcome.SERVER_ERROR, ErrorType.SERVER_ERROR),
        (700, Outcome.SERVER_ERROR, ErrorType.UNKNOWN),
    ],
)
@pytest.mark.parametrize(("then", "retryable"), [(Meaning.RETRY, True), (Meaning.STOP, False)])
def test_a_verdict_of_failure(
    status: int, outcome: Outcome, error_type: ErrorType, then: Meaning, retryable: bool
) -> None:
    """It says whether to try again; a 2xx has an error type of its own, the others keep theirs."""
    judged = judge(a_request(), Response(status))
    found = overruled(judged, status, then, "extension.x", "it says no", None)
    assert found == Judgement(outcome, error_type, retryable, "extension.x", "it says no")


@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_a_verdict_of_success(status: int) -> None:
    """Whatever the status, nothing is left of the failure that it was."""
    found = overruled(judge(a_request(), Response(status)), status, Meaning.SUCCESS, "extension.x", "fine", 5_000)
    assert found == Judgement(Outcome.SUCCESS, None, False, "extension.x", "fine")


@pytest.mark.parametrize(("said_ms", "wait_ms"), [(None, 30_000), (0, 0), (5_000, 5_000)])
def test_a_retry_waits_as_the_receiver_asked_where_the_verdict_names_no_time(said_ms: int | None, wait_ms: int) -> None:
    """The receiver's own word on time stands until somebody says another."""
    judged = judge(a_request(), Response(200, (("Streamer-Action", "retry-after=30"),)))
    assert judged.wait_ms == 30_000
    assert overruled(judged, 200, Meaning.RETRY, "extension.x", "", said_ms).wait_ms == wait_ms


@given(at_ms=instants, not_before_ms=instants, expires_at_ms=st.none() | instants)
def test_another_time_is_never_too_early_nor_too_late(
    at_ms: int, not_before_ms: int, expires_at_ms: int | None
) -> None:
    """It comes neither before now nor before what the receiver asked for, and not once the task has expired."""
    delivery = a_delivery(a_request(expires_at_ms=expires_at_ms))
    decision = redecide(delivery, RetryAt(NOW_MS + 1, "default.5xx"), at_ms, NOW_MS, not_before_ms)
    due_at_ms = max(at_ms, NOW_MS, not_before_ms)
    if expired(delivery, due_at_ms):
        assert decision == Finish(State.EXPIRED, "expired", "default.5xx")
    else:
        assert decision == RetryAt(due_at_ms, "default.5xx")


policies = st.builds(RetryPolicy, intervals_ms=st.lists(st.integers(0, 10), max_size=6).map(tuple)) | st.builds(
    RetryPolicy,
    intervals_ms=st.none(),
    backoff=st.just(Backoff()),
    max_attempts=st.integers(1, 8),
)


@given(policy=policies)
def test_the_retries_left_are_those_that_come(policy: RetryPolicy) -> None:
    """Counted down from the first attempt, they end where no next attempt is due."""
    attempt = 1
    while next_retry_at(policy, attempt, NOW_MS, 0.5) is not None:
        assert retries_left(policy, attempt + 1) == (retries_left(policy, attempt) or 0) - 1
        attempt += 1
    assert retries_left(policy, attempt) == 0


def test_the_retries_of_an_unlimited_task_have_no_number() -> None:
    """Only time bounds them."""
    assert retries_left(RetryPolicy(intervals_ms=None, backoff=Backoff(), max_attempts=None), 7) is None


def test_a_note_stands_behind_what_was_there() -> None:
    """Nothing that people were told before is lost."""
    bare = Judgement(Outcome.SUCCESS, None, False, "success.2xx", wait_ms=3)
    assert noted(bare, "one") == Judgement(Outcome.SUCCESS, None, False, "success.2xx", "one", 3)
    assert noted(noted(bare, "one"), "two").detail == "one; two"


class Wordless(Exception):
    """An error that fails when it is to say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


def raised(error: BaseException) -> BaseException:
    """Return an error as it comes out of somebody's code."""

    def theirs() -> None:
        raise error

    try:
        theirs()
    except BaseException as caught:
        return caught
    raise AssertionError("nothing was raised")


def test_an_error_is_told_with_its_name_its_type_and_its_place() -> None:
    """Who wrote the extension finds the line; who runs it, the extension."""
    told = told_error("shop", raised(KeyError("amount")))
    assert told.startswith("extension shop: KeyError: 'amount' (test_extensions.py, line ")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TypeError("next() takes 1 argument"), "extension shop: TypeError: next() takes 1 argument"),
        (TimeoutError(), "extension shop: TimeoutError"),
        (Wordless(), "extension shop: Wordless"),
        (Misfit("returned dict, where Verdict is due"), "extension shop: returned dict, where Verdict is due"),
        (ValueError("a\r\nb\x00c\ud800"), "extension shop: ValueError: a  b c "),
    ],
)
def test_an_error_without_a_place(error: Exception, told: str) -> None:
    """What never got into the extension's own code has none; nothing unprintable is left."""
    assert told_error("shop", error) == told


def test_what_is_hidden_is_taken_out_before_the_words_are_cut() -> None:
    """A value that stands across the cut leaves no part of itself."""
    words = "x" * (MAX_CHARS - 17) + "a-long-secret"
    told = told_error("shop", ValueError(words), lambda text: text.replace("a-long-secret", "***"))
    assert "a-l" not in told
    assert "a-l" in told_error("shop", ValueError(words))


@given(st.text(max_size=2 * MAX_CHARS))
def test_words_are_one_line_and_cut(text: str) -> None:
    """Whatever an extension says, a result can hold it."""
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= MAX_CHARS + 3
