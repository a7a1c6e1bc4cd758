"""Who is heard on what an answer means: the receiver, then the rules, then the task's codes, then the defaults."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.codes import parse_codes
from streamer.core.judge import judge
from streamer.core.outcome import ErrorType, Failure, Outcome, Response
from streamer.core.request import RetryPolicy
from streamer.core.send_policy import AnswerRule, Meaning
from streamer.core.verdict import Judgement
from tests.core.samples import a_request, codes

EVERY = parse_codes(["1xx", "2xx", "3xx", "4xx", "5xx"])


def says(status: int, action: str, body: bytes = b"") -> Response:
    """Return an answer with the receiver's word."""
    return Response(status, (("streamer-action", action),), body)


def rule(then: Meaning) -> AnswerRule:
    """Return a rule that fits every answer that has a word in it."""
    return AnswerRule(then, EVERY, text="word")


@pytest.mark.parametrize(
    ("status", "action", "judged"),
    [
        (500, "stop", Judgement(Outcome.SERVER_ERROR, ErrorType.STOPPED, False, "receiver.stop")),
        (429, "stop", Judgement(Outcome.RATE_LIMITED, ErrorType.STOPPED, False, "receiver.stop")),
        (404, "stop", Judgement(Outcome.CLIENT_ERROR, ErrorType.STOPPED, False, "receiver.stop")),
        (200, "stop", Judgement(Outcome.SUCCESS, None, False, "success.2xx")),
        (200, "retry", Judgement(Outcome.CLIENT_ERROR, ErrorType.RETRY_ASKED, True, "receiver.retry")),
        (410, "retry", Judgement(Outcome.CLIENT_ERROR, ErrorType.GONE, True, "receiver.retry")),
        (500, "retry", Judgement(Outcome.SERVER_ERROR, ErrorType.SERVER_ERROR, True, "receiver.retry")),
        (202, "retry-after=90",
         Judgement(Outcome.CLIENT_ERROR, ErrorType.RETRY_ASKED, True, "receiver.retry", wait_ms=90_000)),
        (400, "retry-after=1",
         Judgement(Outcome.CLIENT_ERROR, ErrorType.CONTENT_ERROR, True, "receiver.retry", wait_ms=1_000)),
        (200, "unheard", Judgement(Outcome.SUCCESS, None, False, "success.2xx")),
        (500, "unheard", Judgement(Outcome.SERVER_ERROR, ErrorType.SERVER_ERROR, True, "default.5xx")),
    ],
)  # fmt: skip
def test_the_receivers_word(status: int, action: str, judged: Judgement) -> None:
    """Stop ends the retries, and leaves a success one; retry asks for another attempt in spite of a 2xx."""
    assert judge(a_request(), says(status, action)) == judged


def test_the_receivers_word_comes_before_rules_and_codes() -> None:
    """What the task or an operator would make of the answer does not matter then."""
    policy = RetryPolicy(retry_codes=codes(500), fatal_codes=codes(404))
    request = a_request(retry=policy, success_codes=codes(200))
    assert not judge(request, says(500, "stop")).retryable
    assert judge(request, says(404, "retry")).retryable
    assert judge(request, says(200, "retry", b"word"), [rule(Meaning.SUCCESS)]).rule == "receiver.retry"
    assert judge(request, says(200, "stop", b"word"), [rule(Meaning.RETRY)]).rule == "receiver.stop"


@pytest.mark.parametrize(
    ("then", "status", "judged"),
    [
        (Meaning.SUCCESS, 500, Judgement(Outcome.SUCCESS, None, False, "answer.2")),
        (Meaning.RETRY, 200, Judgement(Outcome.CLIENT_ERROR, ErrorType.ANSWER_RULE, True, "answer.2")),
        (Meaning.RETRY, 503, Judgement(Outcome.SERVER_ERROR, ErrorType.ANSWER_RULE, True, "answer.2")),
        (Meaning.STOP, 200, Judgement(Outcome.CLIENT_ERROR, ErrorType.ANSWER_RULE, False, "answer.2")),
        (Meaning.STOP, 429, Judgement(Outcome.RATE_LIMITED, ErrorType.ANSWER_RULE, False, "answer.2")),
    ],
)
def test_a_rule_that_fits_decides(then: Meaning, status: int, judged: Judgement) -> None:
    """Before the task's codes; the rule's number is its name."""
    request = a_request(success_codes=codes(201), retry=RetryPolicy(fatal_codes=codes("1xx", "2xx", "5xx")))
    rules = [AnswerRule(Meaning.STOP, EVERY, text="other"), rule(then)]
    assert judge(request, Response(status, body=b"a word"), rules) == judged


def test_where_no_rule_fits_the_codes_decide() -> None:
    """As if there were none."""
    rules = [rule(Meaning.STOP)]
    assert judge(a_request(), Response(200, body=b"fine"), rules).rule == "success.2xx"
    assert judge(a_request(), Response(500, body=b"fine"), rules).rule == "default.5xx"


def test_a_failure_has_no_words() -> None:
    """Without a whole answer the defaults decide."""
    assert judge(a_request(), Failure(ErrorType.DNS, "no such host"), [rule(Meaning.SUCCESS)]).rule == "default.dns"


@pytest.mark.parametrize(
    ("location", "detail"),
    [
        ("https://new.example.com/hook", "Location: https://new.example.com/hook"),
        ("/a\x1b[2Jb\u202e", "Location: /a?[2Jb?"),
        ("x" * 501, "Location: " + "x" * 500 + "..."),
    ],
)
def test_a_redirect_says_where_it_pointed(location: str, detail: str) -> None:
    """In signs that can be printed, and no more than so many."""
    answer = Response(308, (("server", "x"), ("location", location), ("Location", "second")))
    assert judge(a_request(), answer).detail == detail
    assert judge(a_request(retry=RetryPolicy(retry_codes=codes(308))), answer).detail == detail


def test_only_a_redirect_that_is_a_failure_says_where() -> None:
    """Not one without a Location, one that the task calls a success, nor another status."""
    pointed = (("location", "/x"),)
    assert judge(a_request(), Response(302)).detail is None
    assert judge(a_request(success_codes=codes("3xx")), Response(302, pointed)).detail is None
    assert judge(a_request(), Response(201, pointed)).detail is None
    assert judge(a_request(), Response(404, pointed)).detail is None


@given(st.integers(0, 999), st.text(max_size=20), st.text(max_size=20), st.sampled_from(Meaning))
def test_no_answer_breaks_the_judge(status: int, action: str, location: str, then: Meaning) -> None:
    """Whatever an answer says, it is a success or has an error type, and only what may be tried again waits."""
    answer = Response(status, (("Streamer-Action", action), ("Location", location)), action.encode("utf-8", "replace"))
    found = judge(a_request(), answer, [AnswerRule(then, EVERY, text="a")])
    assert (found.outcome is Outcome.SUCCESS) is (found.error_type is None)
    assert found.wait_ms is None or found.retryable
