"""Judges and choosers of retries at work: the first word counts, and whatever they do wrong, the task goes on as planned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from streamer.adapters.memory.meter import MemoryMeter
from streamer.core.lifecycle import State
from streamer.core.outcome import ErrorType, Exchange, Failure, Outcome, Response
from streamer.core.request import Request, RetryPolicy
from streamer.core.verdict import Decision, Finish, Judgement
from streamer.core.verdict import RetryAt as Planned
from streamer.extensions import Answer, Call, GiveUp, Meaning, RetryAt, Verdict
from streamer.extensions import Planned as Plan
from streamer.flow.advice import FURTHEST_MS, Advice
from tests.core.samples import NOW_MS, a_delivery
from tests.flow.desk import MINUTE_MS, Desk, task

SECRET = "Bearer kept-to-itself"
REQUEST = Request(
    "https://receiver.example/hook?token=kept-in-the-url",
    headers=(("Authorization", SECRET),),
    body=b"{}",
    metadata=(("order", "17"),),
    retry=RetryPolicy(intervals_ms=(1_000, 2_000, 3_000)),
)
FINE = Judgement(Outcome.SUCCESS, None, False, "success.2xx")
FAILED = Judgement(Outcome.SERVER_ERROR, ErrorType.SERVER_ERROR, True, "default.5xx", "as it was")
PLANNED = Planned(NOW_MS + 2_000, "default.5xx")
BAD = Verdict(Meaning.FAIL, "no such account")


class Asked:
    """A judge and a chooser of retries that answers as it is told, or raises, and keeps what it was asked."""

    def __init__(self, says: object) -> None:
        self.says = says
        self.asked: list[Any] = []

    def judge(self, call: Call, answer: Answer) -> Verdict | None:
        said: Verdict | None = self._said(call, answer)
        return said

    def next(self, planned: Plan) -> RetryAt | GiveUp | None:
        said: RetryAt | GiveUp | None = self._said(planned)
        return said

    def _said(self, *asked: object) -> Any:
        self.asked.append(asked)
        if isinstance(self.says, BaseException):
            raise self.says
        return self.says() if callable(self.says) else self.says


def advice_of(judges: Sequence[Asked] = (), retries: Sequence[Asked] = (), meter: MemoryMeter | None = None) -> Advice:
    """Return advice of these, named a, b, c."""
    return Advice(
        list(zip("abc", judges, strict=False)), list(zip("abc", retries, strict=False)), meter or MemoryMeter()
    )


def exchange(end: Response | Failure) -> Exchange:
    """Return an exchange that ended so."""
    return Exchange(end, NOW_MS - 40, 40.0, "192.0.2.1", (("Authorization", "***"), ("webhook-id", "tsk_1")))


def judged(*judges: Asked, end: Response | Failure | None = None, before: Judgement = FINE) -> Judgement:
    """Return how a 200, or another end, is judged in the end."""
    return advice_of(judges).on_answer(a_delivery(REQUEST), exchange(end or Response(200)), before)


def chosen(*retries: Asked, not_before_ms: int = 0) -> tuple[Judgement, Decision]:
    """Return what follows in the end from a retry that was planned for two seconds ahead."""
    delivery, ended = a_delivery(REQUEST, attempt=2), exchange(Response(503))
    return advice_of(retries=retries).on_retry(delivery, ended, FAILED, PLANNED, NOW_MS, not_before_ms)


def test_a_judge_is_asked_about_what_was_sent_and_what_came() -> None:
    """What was put in for a secret is masked, and the answer is the one that is kept."""
    judge = Asked(None)
    answer = Response(200, (("x", "y"),), b"kept", truncated=True, body_bytes=70_000)
    assert judged(judge, end=answer) is FINE
    [(call, seen)] = judge.asked
    assert seen == Answer(200, (("x", "y"),), b"kept", True)
    assert (call.task_id, call.business, call.domain, call.method) == ("tsk_1", "acme", "receiver.example", "POST")
    assert (call.url, call.body, call.metadata) == (REQUEST.url, b"{}", (("order", "17"),))
    assert call.headers == (("Authorization", "***"), ("webhook-id", "tsk_1"))
    assert (call.attempt, call.generation, call.webhook_id, call.at_ms) == (1, 1, "tsk_1", NOW_MS - 40)


def test_the_first_judge_with_a_word_counts() -> None:
    """Those before it that leave it are passed over; those behind it are not asked."""
    silent, first, second = Asked(None), Asked(BAD), Asked(Verdict(Meaning.SUCCESS, "fine"))
    found = judged(silent, first, second)
    assert found == Judgement(Outcome.CLIENT_ERROR, ErrorType.EXTENSION, False, "extension.b", "no such account")
    assert (len(silent.asked), len(first.asked), len(second.asked)) == (1, 1, 0)


def test_what_is_no_answer_is_not_judged() -> None:
    """A failure of the network is none."""
    judge, failed = Asked(BAD), Judgement(Outcome.NETWORK_ERROR, ErrorType.DNS, True, "default.dns")
    assert judged(judge, end=Failure(ErrorType.DNS, "no such name"), before=failed) is failed
    assert judge.asked == []


async def a_coroutine() -> None:
    """Do nothing: what a judge returns that was written with ``async``."""


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (KeyError("ok"), "extension a: KeyError: 'ok' (test_advice.py, line "),
        (asyncio.CancelledError(), "extension a: CancelledError (test_advice.py, line "),
        ({"ok": True}, "extension a: returned dict, where Verdict or None is due"),
        (a_coroutine, "extension a: returned coroutine, where Verdict or None is due"),
        (Verdict("fail", "x"), "extension a: returned a Verdict that lacks a Meaning or a text"),  # type: ignore[arg-type]
        (Verdict(Meaning.FAIL, None), "extension a: returned a Verdict that lacks a Meaning or a text"),  # type: ignore[arg-type]
        (Verdict(Meaning.RETRY, "x", -1), "extension a: returned a Verdict whose wait_ms is neither a whole number"),
        (Verdict(Meaning.RETRY, "x", 1.5), "extension a: returned a Verdict whose wait_ms is neither a whole number"),  # type: ignore[arg-type]
    ],
)
def test_a_judge_that_fails_has_said_nothing(says: object, told: str) -> None:
    """It is named and counted, the next one is asked, and what it would have been judged without it stays."""
    meter, fine = MemoryMeter(), Asked(None)
    advice = advice_of([Asked(says), fine], meter=meter)
    found = advice.on_answer(a_delivery(REQUEST), exchange(Response(503)), FAILED)
    assert (found.outcome, found.error_type, found.retryable, found.rule) == (
        FAILED.outcome,
        FAILED.error_type,
        True,
        "default.5xx",
    )
    assert (found.detail or "").startswith(f"as it was; {told}")
    assert len(fine.asked) == 1
    assert meter.counted("extension_errors", "a") == 1


def test_a_failing_judge_stands_beside_the_verdict_of_the_next() -> None:
    """Both are told."""
    found = judged(Asked(ValueError("?")), Asked(BAD))
    assert found.rule == "extension.b"
    assert (found.detail or "").startswith("no such account; extension a: ValueError: ?")


def test_an_error_tells_nothing_of_what_the_task_keeps_to_itself() -> None:
    """Values of headers and of the URL are taken out of its words, also where they are cut."""
    words = f"{'x' * 285}{SECRET} and kept-to-itself in {REQUEST.url}"
    for found in (judged(Asked(ValueError(words))), chosen(Asked(ValueError(words[280:])))[0]):
        assert "kept" not in (found.detail or "")
        assert "ValueError" in (found.detail or "")


def test_a_chooser_is_asked_about_the_plan() -> None:
    """What failed, how many attempts there were and may be, and when the next one would begin."""
    retry = Asked(None)
    assert chosen(retry) == (FAILED, PLANNED)
    [(plan,)] = retry.asked
    assert plan == Plan(
        task_id="tsk_1",
        business="acme",
        domain="receiver.example",
        outcome="server_error",
        error_type="server_error",
        status=503,
        made=2,
        left=2,
        now_ms=NOW_MS,
        due_at_ms=NOW_MS + 2_000,
        expires_at_ms=None,
        metadata=(("order", "17"),),
    )


@pytest.mark.parametrize(
    ("asked_ms", "not_before_ms", "due_ms"),
    [(60_000, 0, 60_000), (500, 0, 500), (-5_000, 0, 0), (500, NOW_MS + 30_000, 30_000), (FURTHEST_MS, 0, FURTHEST_MS)],
)
def test_another_time(asked_ms: int, not_before_ms: int, due_ms: int) -> None:
    """Earlier or later than planned, but not before now or before what the receiver asked for; the result says who chose."""
    found, decision = chosen(Asked(RetryAt(NOW_MS + asked_ms)), not_before_ms=not_before_ms)
    assert decision == Planned(NOW_MS + due_ms, "default.5xx")
    assert found.detail == "as it was; extension a chose the time of the next attempt"


def test_giving_up() -> None:
    """The task ends, and its result has the extension's words; who comes next is not asked."""
    other = Asked(RetryAt(NOW_MS))
    found, decision = chosen(Asked(None), Asked(GiveUp("the shop is closed for good")), other)
    assert decision == Finish(State.FAILED, "gave_up", "extension.b")
    assert (found.outcome, found.rule, found.detail) == (
        Outcome.SERVER_ERROR,
        "extension.b",
        "the shop is closed for good; as it was",
    )
    assert other.asked == []


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (ZeroDivisionError("division by zero"), "extension a: ZeroDivisionError: division by zero (test_advice.py"),
        (5_000, "extension a: returned int, where RetryAt, GiveUp or None is due"),
        (RetryAt(1.7e12), "extension a: returned a RetryAt that lacks a whole number, of epoch ms"),  # type: ignore[arg-type]
        (RetryAt(NOW_MS * 1_000), "extension a: returned a RetryAt that is more than a year ahead"),
        (GiveUp(None), "extension a: returned a GiveUp that lacks a text"),  # type: ignore[arg-type]
    ],
)
def test_a_chooser_that_fails_leaves_the_plan(says: object, told: str) -> None:
    """It is named, and the retry comes when it was planned."""
    found, decision = chosen(Asked(says))
    assert decision == PLANNED
    assert (found.detail or "").startswith(f"as it was; {told}")
    assert found.retryable


@pytest.fixture
async def with_advice() -> Any:
    """Return what makes desks whose deliver asks these."""
    desks: list[Desk] = []

    def make(judges: Sequence[Asked] = (), retries: Sequence[Asked] = ()) -> Desk:
        desks.append(Desk(advice=advice_of(judges, retries)))
        return desks[-1]

    yield make
    for desk in desks:
        await desk.stop()


async def test_a_200_that_is_none(with_advice: Callable[..., Desk]) -> None:
    """Deliver tries it again no sooner than the judge says, and its last attempt ends it in the dead letters."""
    desk = with_advice([Asked(Verdict(Meaning.RETRY, "ratelimited", wait_ms=60_000))])
    desk.answer(200)
    await desk.give(task(retry_ms=(1_000,)))
    assert desk.held[-1].delivery.due_at_ms == NOW_MS + MINUTE_MS
    await desk.come_back()
    assert [(result.because.rule, result.because.reason) for result in desk.results] == [
        ("extension.a", "retry"),
        ("extension.a", "exhausted"),
    ]
    assert [letter.reason for letter in desk.dead_letters] == ["exhausted"]


async def test_a_verdict_that_ends_a_task(with_advice: Callable[..., Desk]) -> None:
    """With retries left, for the reason that an extension says so."""
    desk = with_advice([Asked(BAD)])
    await desk.give(task(retry_ms=(1_000,)))
    assert [(letter.reason, letter.last.because.detail) for letter in desk.dead_letters] == [
        ("extension", "no such account")
    ]


async def test_a_retry_at_another_time_and_an_end(with_advice: Callable[..., Desk]) -> None:
    """Deliver lays the task on the tier of the time that was chosen; given up, it is a dead letter of this reason."""
    words = iter([RetryAt(NOW_MS + 10 * MINUTE_MS), GiveUp("that will do")])
    desk = with_advice(retries=[Asked(lambda: next(words))])
    desk.answer(503)
    await desk.give(task(retry_ms=(1_000, 1_000, 1_000)))
    assert (desk.held[-1].delivery.due_at_ms, desk.held[-1].tier) == (NOW_MS + 10 * MINUTE_MS, "10m")
    await desk.come_back()
    assert len(desk.sent) == 2
    assert desk.entry().state is State.FAILED
    assert [(letter.reason, letter.last.because.detail) for letter in desk.dead_letters] == [
        ("gave_up", "that will do")
    ]


async def test_a_time_after_the_expiry_ends_a_task(with_advice: Callable[..., Desk]) -> None:
    """Waiting for a time at which nothing would be sent only delays the answer."""
    desk = with_advice(retries=[Asked(RetryAt(NOW_MS + MINUTE_MS))])
    desk.answer(503)
    await desk.give(task(retry_ms=(1_000,), expires_at_ms=NOW_MS + 30_000))
    assert desk.entry().state is State.EXPIRED
