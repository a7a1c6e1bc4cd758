"""Asks extensions what an answer means and when to try again; one that fails is named, and is as if it had said nothing."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence
from inspect import iscoroutine
from typing import TypeGuard

from streamer import extensions
from streamer.core.decide import GAVE_UP, redecide
from streamer.core.delivery import Delivery, webhook_id
from streamer.core.extension_error import Misfit, one_line, told_error
from streamer.core.judge import overruled
from streamer.core.lifecycle import State
from streamer.core.outcome import Exchange, Response
from streamer.core.retry import retries_left
from streamer.core.send_policy import Meaning
from streamer.core.verdict import Decision, Finish, Judgement, RetryAt, noted
from streamer.extensions import Answer, Call, GiveUp, Judge, Planned, Retry, Verdict
from streamer.ports import Meter

_MEANINGS = {
    extensions.Meaning.SUCCESS: Meaning.SUCCESS,
    extensions.Meaning.RETRY: Meaning.RETRY,
    extensions.Meaning.FAIL: Meaning.STOP,
}
#: No retry lies further ahead: whoever asks for that has mistaken seconds for milliseconds, or the like.
FURTHEST_MS = 366 * 86_400_000
#: A task's own values that are shorter are no secrets, and would be found everywhere.
_LEAST_HIDDEN = 8
_MASK = "***"


class Advice:
    """The judges and the choosers of retries, each by its name; of several the first with a word counts."""

    def __init__(self, judges: Sequence[tuple[str, Judge]], retries: Sequence[tuple[str, Retry]], meter: Meter) -> None:
        self._judges = tuple(judges)
        self._retries = tuple(retries)
        self._meter = meter

    def on_answer(self, delivery: Delivery, exchange: Exchange, judged: Judgement) -> Judgement:
        """Return how an answer is judged in the end; what is no answer stays as it was judged."""
        if not self._judges or not isinstance(exchange.end, Response):
            return judged
        end = exchange.end
        call, answer = _call(delivery, exchange), Answer(end.status, end.headers, end.body, end.truncated)
        notes: list[str] = []
        for name, judge in self._judges:
            try:
                verdict = _checked_verdict(judge.judge(call, answer))
            except (Exception, CancelledError) as error:
                notes.append(self._failed(name, error, delivery))
                continue
            if verdict is not None:
                then, reason = _MEANINGS[verdict.meaning], one_line(verdict.reason)
                judged = overruled(judged, end.status, then, f"extension.{name}", reason, verdict.wait_ms)
                break
        return _with_notes(judged, notes)

    def on_retry(
        self,
        delivery: Delivery,
        exchange: Exchange,
        judged: Judgement,
        planned: RetryAt,
        now_ms: int,
        not_before_ms: int,
    ) -> tuple[Judgement, Decision]:
        """Return what follows in the end from an attempt after which another one is planned."""
        if not self._retries:
            return judged, planned
        plan, notes = _planned(delivery, exchange, judged, planned, now_ms), list[str]()
        decision: Decision = planned
        for name, retry in self._retries:
            try:
                said = _checked_word(retry.next(plan), now_ms)
            except (Exception, CancelledError) as error:
                notes.append(self._failed(name, error, delivery))
                continue
            if isinstance(said, GiveUp):
                rule, before = f"extension.{name}", judged.detail
                judged = Judgement(judged.outcome, judged.error_type, False, rule, one_line(said.reason))
                judged = _with_notes(judged, [before] if before else [])
                decision = Finish(State.FAILED, GAVE_UP, rule)
                break
            if said is not None:
                notes.append(f"extension {name} chose the time of the next attempt")
                decision = redecide(delivery, planned, said.at_ms, now_ms, not_before_ms)
                break
        return _with_notes(judged, notes), decision

    def _failed(self, name: str, error: BaseException, delivery: Delivery) -> str:
        self._meter.count("extension_errors", label=name)
        return told_error(name, error, lambda text: _without_own(text, delivery))


def _call(delivery: Delivery, exchange: Exchange) -> Call:
    request = delivery.request
    return Call(
        task_id=delivery.task_id,
        business=delivery.business,
        business_id=delivery.business_id,
        domain=delivery.lane,
        method=request.method,
        url=request.url,
        headers=exchange.sent_headers or request.headers,
        body=request.body,
        attempt=delivery.attempt,
        generation=delivery.generation,
        webhook_id=webhook_id(delivery),
        metadata=request.metadata,
        at_ms=exchange.started_at_ms,
    )


def _planned(delivery: Delivery, exchange: Exchange, judged: Judgement, planned: RetryAt, now_ms: int) -> Planned:
    request, end = delivery.request, exchange.end
    return Planned(
        task_id=delivery.task_id,
        business=delivery.business,
        domain=delivery.lane,
        outcome=judged.outcome.value,
        error_type=judged.error_type.value if judged.error_type is not None else None,
        status=end.status if isinstance(end, Response) else None,
        made=delivery.attempt,
        left=retries_left(request.retry, delivery.attempt),
        now_ms=now_ms,
        due_at_ms=planned.due_at_ms,
        expires_at_ms=request.expires_at_ms,
        metadata=request.metadata,
    )


def _checked_verdict(said: object) -> Verdict | None:
    if said is None:
        return None
    if not isinstance(said, Verdict):
        raise _misfit(said, "Verdict")
    # Its own types promise this, and nothing holds another package's code to them.
    meaning: object = said.meaning
    reason: object = said.reason
    wait_ms: object = said.wait_ms
    if not isinstance(meaning, extensions.Meaning) or not isinstance(reason, str):
        raise Misfit("returned a Verdict that lacks a Meaning or a text")
    if wait_ms is not None and not (_whole(wait_ms) and wait_ms >= 0):
        raise Misfit("returned a Verdict whose wait_ms is neither a whole number, from 0, nor None")
    return said


def _checked_word(said: object, now_ms: int) -> extensions.RetryAt | GiveUp | None:
    if said is None:
        return None
    if isinstance(said, GiveUp):
        reason: object = said.reason
        if not isinstance(reason, str):
            raise Misfit("returned a GiveUp that lacks a text")
        return said
    if not isinstance(said, extensions.RetryAt):
        raise _misfit(said, "RetryAt, GiveUp")
    if not _whole(said.at_ms):
        raise Misfit("returned a RetryAt that lacks a whole number, of epoch ms")
    if said.at_ms > now_ms + FURTHEST_MS:
        raise Misfit("returned a RetryAt that is more than a year ahead; epoch ms are due")
    return said


def _misfit(said: object, due: str) -> Misfit:
    if iscoroutine(said):
        # Else Python warns that nobody has waited for it.
        said.close()
    return Misfit(f"returned {type(said).__name__}, where {due} or None is due")


def _whole(number: object) -> TypeGuard[int]:
    return isinstance(number, int) and not isinstance(number, bool)


def _without_own(text: str, delivery: Delivery) -> str:
    """Return a text without what the task's headers and its URL's query say, which may be secret."""
    request = delivery.request
    own = [value for _, value in request.headers]
    own += [value.partition(" ")[2] for value in own]
    own.append(request.url.partition("?")[2])
    for value in sorted(own, key=len, reverse=True):
        if len(value) >= _LEAST_HIDDEN:
            text = text.replace(value, _MASK)
    return text


def _with_notes(judged: Judgement, notes: Sequence[str]) -> Judgement:
    for note in notes:
        judged = noted(judged, note)
    return judged
