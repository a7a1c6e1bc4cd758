"""The judgement of every answer and every failure, written out as the documentation promises it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.codes import Codes, parse_codes
from streamer.core.judge import FAILURE_ROWS, STATUS_ROWS, judge, overruled
from streamer.core.outcome import ErrorType, Failure, Outcome, Response
from streamer.core.request import RetryPolicy
from streamer.core.send_policy import AnswerRule, Meaning
from tests.core.samples import a_request, codes

CLIENT, SERVER, LIMITED = Outcome.CLIENT_ERROR, Outcome.SERVER_ERROR, Outcome.RATE_LIMITED
NETWORK, TIMEOUT = Outcome.NETWORK_ERROR, Outcome.TIMEOUT

STOPS = AnswerRule(Meaning.STOP, text="no")

statuses = st.integers(0, 999)
code_sets = st.none() | st.sets(st.integers(100, 599), max_size=500).map(parse_codes)


@pytest.mark.parametrize(
    ("status", "outcome", "error_type", "retryable", "rule"),
    [
        (200, Outcome.SUCCESS, None, False, "success.2xx"),
        (299, Outcome.SUCCESS, None, False, "success.2xx"),
        (101, SERVER, ErrorType.UNKNOWN, True, "default.1xx"),
        (300, CLIENT, ErrorType.REDIRECT, False, "default.3xx"),
        (301, CLIENT, ErrorType.REDIRECT, False, "default.3xx"),
        (304, CLIENT, ErrorType.REDIRECT, False, "default.3xx"),
        (400, CLIENT, ErrorType.CONTENT_ERROR, False, "default.400"),
        (401, CLIENT, ErrorType.AUTH_ERROR, False, "default.401"),
        (403, CLIENT, ErrorType.PERMISSION_ERROR, False, "default.403"),
        (404, CLIENT, ErrorType.CLIENT_ERROR, False, "default.4xx"),
        (408, CLIENT, ErrorType.CLIENT_ERROR, True, "default.408"),
        (409, CLIENT, ErrorType.CLIENT_ERROR, False, "default.4xx"),
        (410, CLIENT, ErrorType.GONE, False, "default.410"),
        (413, CLIENT, ErrorType.CONTENT_ERROR, False, "default.413"),
        (415, CLIENT, ErrorType.CONTENT_ERROR, False, "default.415"),
        (422, CLIENT, ErrorType.CONTENT_ERROR, False, "default.422"),
        (425, CLIENT, ErrorType.CLIENT_ERROR, True, "default.425"),
        (429, LIMITED, ErrorType.RATE_LIMIT, True, "default.429"),
        (499, CLIENT, ErrorType.CLIENT_ERROR, False, "default.4xx"),
        (500, SERVER, ErrorType.SERVER_ERROR, True, "default.5xx"),
        (501, SERVER, ErrorType.SERVER_ERROR, True, "default.5xx"),
        (599, SERVER, ErrorType.SERVER_ERROR, True, "default.5xx"),
        (600, SERVER, ErrorType.UNKNOWN, True, "default.unknown"),
        (99, SERVER, ErrorType.UNKNOWN, True, "default.unknown"),
    ],
)
def test_an_answer_by_default(
    status: int, outcome: Outcome, error_type: ErrorType | None, retryable: bool, rule: str
) -> None:
    """Each status has its class, its refinement, its default decision and a name for the rule."""
    found = judge(a_request(), Response(status))
    assert (found.outcome, found.error_type, found.retryable, found.rule) == (
        outcome,
        error_type,
        retryable,
        rule,
    )


@pytest.mark.parametrize(
    ("error", "outcome", "retryable"),
    [
        (ErrorType.DNS, NETWORK, True),
        (ErrorType.CONNECT, NETWORK, True),
        (ErrorType.TLS, NETWORK, True),
        (ErrorType.CONNECT_TIMEOUT, TIMEOUT, True),
        (ErrorType.FIRST_BYTE_TIMEOUT, TIMEOUT, True),
        (ErrorType.READ_TIMEOUT, TIMEOUT, True),
        (ErrorType.TOTAL_TIMEOUT, TIMEOUT, True),
        (ErrorType.CREDENTIALS, Outcome.CREDENTIALS_ERROR, True),
        (ErrorType.BLOCKED, Outcome.BLOCKED, False),
        (ErrorType.UNKNOWN, NETWORK, True),
    ],
)
@pytest.mark.parametrize("begun", [True, False])
def test_a_failure_by_default(error: ErrorType, outcome: Outcome, retryable: bool, begun: bool) -> None:
    """Each failure keeps its error type; only a blocked address is not tried again."""
    found = judge(a_request(), Failure(error, "it broke", begun))
    assert (found.outcome, found.error_type, found.retryable) == (outcome, error, retryable)
    assert found.rule == f"default.{error}"


def test_every_error_type_comes_from_the_tables_or_from_what_an_answer_says() -> None:
    """No error type is promised that nothing gives, and no failure stands in two rows."""
    given_types = {row.error_type for row in STATUS_ROWS} | {row.error_type for row in FAILURE_ROWS}
    said = {
        judge(a_request(), Response(200, (("Streamer-Action", "retry"),))).error_type,
        judge(a_request(), Response(500, (("Streamer-Action", "stop"),))).error_type,
        judge(a_request(), Response(200, body=b"no"), [STOPS]).error_type,
        overruled(judge(a_request(), Response(200)), 200, Meaning.STOP, "extension.x", "no", None).error_type,
    }
    assert given_types | said == set(ErrorType)
    assert not given_types & said
    assert len({row.error_type for row in FAILURE_ROWS}) == len(FAILURE_ROWS)


def test_every_outcome_of_an_attempt_comes_from_the_tables() -> None:
    """The tables give every outcome but success and those of a decision without an attempt."""
    without_attempt = {
        Outcome.DEFERRED,
        Outcome.DUPLICATE,
        Outcome.REJECTED,
        Outcome.EXPIRED,
        Outcome.CANCELLED,
        Outcome.CONTROL,
    }
    given_outcomes = {row.outcome for row in STATUS_ROWS} | {row.outcome for row in FAILURE_ROWS}
    assert given_outcomes == set(Outcome) - without_attempt - {Outcome.SUCCESS}


def test_no_row_is_hidden_behind_the_rows_before_it() -> None:
    """Every code of the table names the rule of at least one status."""
    named = {judge(a_request(success_codes=codes()), Response(status)).rule for status in range(100, 600)}
    assert named == {f"default.{code}" for row in STATUS_ROWS for code in row.codes}


@pytest.mark.parametrize(
    ("status", "policy", "retryable", "rule", "error_type"),
    [
        (404, RetryPolicy(retry_codes=codes(404)), True, "task.retry_codes", ErrorType.CLIENT_ERROR),
        (302, RetryPolicy(retry_codes=codes("3xx")), True, "task.retry_codes", ErrorType.REDIRECT),
        (503, RetryPolicy(fatal_codes=codes("500-599")), False, "task.fatal_codes", ErrorType.SERVER_ERROR),
        (429, RetryPolicy(fatal_codes=codes(429)), False, "task.fatal_codes", ErrorType.RATE_LIMIT),
        (
            500,
            RetryPolicy(retry_codes=codes("5xx"), fatal_codes=codes(500)),
            False,
            "task.fatal_codes",
            ErrorType.SERVER_ERROR,
        ),
        (500, RetryPolicy(retry_codes=codes(404)), True, "default.5xx", ErrorType.SERVER_ERROR),
        (410, RetryPolicy(fatal_codes=codes(404)), False, "default.410", ErrorType.GONE),
    ],
)
def test_a_task_has_its_own_codes(
    status: int, policy: RetryPolicy, retryable: bool, rule: str, error_type: ErrorType
) -> None:
    """A task's codes come before the defaults, fatal before retryable, and leave the error type alone."""
    found = judge(a_request(retry=policy), Response(status))
    assert (found.retryable, found.rule, found.error_type) == (retryable, rule, error_type)


def test_success_codes_come_first() -> None:
    """A code that the task counts as success is one, whatever its other codes say."""
    policy = RetryPolicy(retry_codes=codes(404), fatal_codes=codes(404))
    found = judge(a_request(retry=policy, success_codes=codes(404)), Response(404))
    assert (found.outcome, found.retryable, found.rule) == (Outcome.SUCCESS, False, "task.success_codes")


def test_success_codes_replace_the_default() -> None:
    """A 2xx that the task does not count as success is unknown, and tried again."""
    found = judge(a_request(success_codes=codes(201)), Response(202))
    assert (found.outcome, found.error_type, found.retryable, found.rule) == (
        Outcome.CLIENT_ERROR,
        ErrorType.UNKNOWN,
        True,
        "default.2xx",
    )


@given(statuses, code_sets, code_sets, code_sets)
def test_an_answer_is_a_success_or_has_an_error_type(
    status: int, success: Codes | None, retry: Codes | None, fatal: Codes | None
) -> None:
    """Whatever the codes, every answer has a judgement that does not contradict itself."""
    request = a_request(retry=RetryPolicy(retry_codes=retry, fatal_codes=fatal), success_codes=success)
    found = judge(request, Response(status))
    wanted = status in (success if success is not None else range(200, 300))
    assert (found.outcome is Outcome.SUCCESS) is wanted
    assert (found.error_type is None) is wanted
    if wanted or (fatal is not None and status in fatal):
        assert not found.retryable
    elif retry is not None and status in retry:
        assert found.retryable
