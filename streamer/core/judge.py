"""The class of an exchange's end: outcome, error type, and whether another attempt is worth it.

Must not know how many attempts are left, nor what is done about the judgement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from streamer.core.answer_rules import fitting
from streamer.core.codes import Codes, parse_codes
from streamer.core.outcome import ErrorType, Failure, Outcome, Response
from streamer.core.receiver_word import Action, Word, word_of
from streamer.core.request import Request
from streamer.core.send_policy import AnswerRule, Meaning
from streamer.core.verdict import Judgement


@dataclass(frozen=True, slots=True)
class StatusRow:
    """The default for some status codes; each of ``codes`` names the rule, as in ``default.5xx``."""

    codes: tuple[str, ...]
    outcome: Outcome
    error_type: ErrorType
    retryable: bool


@dataclass(frozen=True, slots=True)
class FailureRow:
    """The default for an exchange without a whole answer."""

    error_type: ErrorType
    outcome: Outcome
    retryable: bool


#: Defaults for answers that are no success; of two rows that hold a code the first one counts.
#: 408 and 425 stay client errors by outcome: the peer did answer, and a lane's health is not in doubt.
#: A 2xx gets here when the task names other success codes. Nobody said what it means, so it is tried again.
STATUS_ROWS = (
    StatusRow(("401",), Outcome.CLIENT_ERROR, ErrorType.AUTH_ERROR, retryable=False),
    StatusRow(("403",), Outcome.CLIENT_ERROR, ErrorType.PERMISSION_ERROR, retryable=False),
    StatusRow(("400", "413", "415", "422"), Outcome.CLIENT_ERROR, ErrorType.CONTENT_ERROR, retryable=False),
    StatusRow(("410",), Outcome.CLIENT_ERROR, ErrorType.GONE, retryable=False),
    StatusRow(("408", "425"), Outcome.CLIENT_ERROR, ErrorType.CLIENT_ERROR, retryable=True),
    StatusRow(("429",), Outcome.RATE_LIMITED, ErrorType.RATE_LIMIT, retryable=True),
    StatusRow(("3xx",), Outcome.CLIENT_ERROR, ErrorType.REDIRECT, retryable=False),
    StatusRow(("4xx",), Outcome.CLIENT_ERROR, ErrorType.CLIENT_ERROR, retryable=False),
    StatusRow(("5xx",), Outcome.SERVER_ERROR, ErrorType.SERVER_ERROR, retryable=True),
    StatusRow(("2xx",), Outcome.CLIENT_ERROR, ErrorType.UNKNOWN, retryable=True),
    StatusRow(("1xx",), Outcome.SERVER_ERROR, ErrorType.UNKNOWN, retryable=True),
)

#: Defaults for failures. TLS is retryable: a certificate that ran out is renewed, a balancer that restarts
#: breaks handshakes, and the attempts are bounded either way. So are credentials: a secret that is missing is set by an
#: operator while the task waits. Blocked is fatal: no attempt makes it allowed.
FAILURE_ROWS = (
    FailureRow(ErrorType.DNS, Outcome.NETWORK_ERROR, retryable=True),
    FailureRow(ErrorType.CONNECT, Outcome.NETWORK_ERROR, retryable=True),
    FailureRow(ErrorType.TLS, Outcome.NETWORK_ERROR, retryable=True),
    FailureRow(ErrorType.CONNECT_TIMEOUT, Outcome.TIMEOUT, retryable=True),
    FailureRow(ErrorType.FIRST_BYTE_TIMEOUT, Outcome.TIMEOUT, retryable=True),
    FailureRow(ErrorType.READ_TIMEOUT, Outcome.TIMEOUT, retryable=True),
    FailureRow(ErrorType.TOTAL_TIMEOUT, Outcome.TIMEOUT, retryable=True),
    FailureRow(ErrorType.CREDENTIALS, Outcome.CREDENTIALS_ERROR, retryable=True),
    FailureRow(ErrorType.BLOCKED, Outcome.BLOCKED, retryable=False),
    FailureRow(ErrorType.UNKNOWN, Outcome.NETWORK_ERROR, retryable=True),
)


def _by_status() -> MappingProxyType[int, Judgement]:
    table: dict[int, Judgement] = {}
    for row in STATUS_ROWS:
        for code in row.codes:
            usual = Judgement(row.outcome, row.error_type, row.retryable, f"default.{code}")
            for status in parse_codes([code]).members:
                table.setdefault(status, usual)
    return MappingProxyType(table)


_BY_STATUS = _by_status()
_BY_FAILURE = MappingProxyType(
    {
        row.error_type: Judgement(row.outcome, row.error_type, row.retryable, f"default.{row.error_type.value}")
        for row in FAILURE_ROWS
    }
)
_NO_STATUS = Judgement(Outcome.SERVER_ERROR, ErrorType.UNKNOWN, True, "default.unknown")
_SUCCESS = Judgement(Outcome.SUCCESS, None, False, "success.2xx")
_TASK_SUCCESS = Judgement(Outcome.SUCCESS, None, False, "task.success_codes")
#: So much of a redirect's Location is told.
_LOCATION_CHARS = 500


def judge(request: Request, end: Response | Failure, rules: Sequence[AnswerRule] = ()) -> Judgement:
    """Put an exchange's end in its class.

    First speaks the receiver (``Streamer-Action``), then the rules on answers, then the task's codes (success, fatal,
    retry), then the defaults. The receiver's word and the task's codes say only whether to try again; outcome and error type
    are else those of the defaults.
    """
    if isinstance(end, Failure):
        return _BY_FAILURE[end.error]
    judged = _by_rules(request, end, rules) if rules else _by_codes(request, end)
    word = word_of(end.headers)
    if word is not None:
        judged = _by_word(word, judged, end.status)
    if 300 <= end.status <= 399 and judged.outcome is not Outcome.SUCCESS:
        return _pointing(judged, end)
    return judged


def overruled(judged: Judgement, status: int, then: Meaning, rule: str, reason: str, wait_ms: int | None) -> Judgement:
    """Return an extension's verdict on an answer in place of what it was judged to be.

    A 2xx that it calls a failure is ``extension``; the others are what they are by default. A retry waits as long as the
    receiver asked, where the extension names no time.
    """
    if then is Meaning.SUCCESS:
        return Judgement(Outcome.SUCCESS, None, False, rule, reason)
    if judged.detail is not None:
        reason = f"{reason}; {judged.detail}"
    usual = _BY_STATUS.get(status, _NO_STATUS)
    error_type = ErrorType.EXTENSION if 200 <= status <= 299 else usual.error_type
    if then is Meaning.STOP:
        return Judgement(usual.outcome, error_type, False, rule, reason)
    return Judgement(usual.outcome, error_type, True, rule, reason, judged.wait_ms if wait_ms is None else wait_ms)


def _by_word(word: Word, judged: Judgement, status: int) -> Judgement:
    if word.action is Action.STOP:
        if judged.outcome is Outcome.SUCCESS:
            # Nothing would have been sent again.
            return judged
        return Judgement(judged.outcome, ErrorType.STOPPED, False, "receiver.stop")
    if judged.outcome is not Outcome.SUCCESS:
        return Judgement(judged.outcome, judged.error_type, True, "receiver.retry", wait_ms=word.wait_ms)
    outcome = _BY_STATUS.get(status, _NO_STATUS).outcome
    return Judgement(outcome, ErrorType.RETRY_ASKED, True, "receiver.retry", wait_ms=word.wait_ms)


def _by_rules(request: Request, answer: Response, rules: Sequence[AnswerRule]) -> Judgement:
    number = fitting(rules, answer)
    if number is None:
        return _by_codes(request, answer)
    then, name = rules[number - 1].then, f"answer.{number}"
    if then is Meaning.SUCCESS:
        return Judgement(Outcome.SUCCESS, None, False, name)
    outcome = _BY_STATUS.get(answer.status, _NO_STATUS).outcome
    return Judgement(outcome, ErrorType.ANSWER_RULE, then is Meaning.RETRY, name)


def _by_codes(request: Request, answer: Response) -> Judgement:
    status = answer.status
    if success := _success(request.success_codes, status):
        return success
    usual = _BY_STATUS.get(status, _NO_STATUS)
    policy = request.retry
    if policy.fatal_codes is not None and status in policy.fatal_codes:
        return Judgement(usual.outcome, usual.error_type, False, "task.fatal_codes")
    if policy.retry_codes is not None and status in policy.retry_codes:
        return Judgement(usual.outcome, usual.error_type, True, "task.retry_codes")
    return usual


def _success(codes: Codes | None, status: int) -> Judgement | None:
    if codes is None:
        return _SUCCESS if 200 <= status <= 299 else None
    return _TASK_SUCCESS if status in codes else None


def _pointing(judged: Judgement, answer: Response) -> Judgement:
    """Return a redirect's judgement with where it pointed: its sender has to be told, since nobody goes there."""
    location = next((value for name, value in answer.headers if name.lower() == "location"), None)
    if location is None:
        return judged
    shown = "".join(mark if mark.isprintable() else "?" for mark in location[:_LOCATION_CHARS])
    more = "..." if len(location) > _LOCATION_CHARS else ""
    return Judgement(
        judged.outcome, judged.error_type, judged.retryable, judged.rule, f"Location: {shown}{more}", judged.wait_ms
    )
