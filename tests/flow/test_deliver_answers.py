"""What a receiver says beside its status, and what rules make of its answers, on the way from the call to what follows."""

from __future__ import annotations

import pytest

from streamer.adapters.memory.sender import Reply
from streamer.core.breaker import BreakerState
from streamer.core.lifecycle import State
from streamer.core.outcome import Outcome, Response
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.send_policy import AnswerRule, Meaning, Tls
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task
from tests.flow.tiers import Tiers

DOMAIN = "receiver.example"
BUSY = AnswerRule(Meaning.RETRY, pointer="/error/code", values=(4290,))
WRONG = AnswerRule(Meaning.STOP, text="no such account")


def says(status: int, action: str) -> Reply:
    return Reply(Response(status, (("Streamer-Action", action),)))


async def test_stop_ends_a_task_at_once(desk: Desk) -> None:
    """With retries left it fails, for this reason, and lies in the dead letters."""
    desk.sender.script(DOMAIN, says(503, "stop"))
    await desk.give(task())
    last = desk.results[-1]
    assert (last.state, last.because.reason, last.because.rule) == (
        State.FAILED,
        "stopped_by_receiver",
        "receiver.stop",
    )
    assert [letter.reason for letter in desk.dead_letters] == ["stopped_by_receiver"]


async def test_retry_in_spite_of_a_200(desk: Desk) -> None:
    """The receiver asks for another attempt and gets it by the task's own intervals, which still bound it."""
    tiers = Tiers(desk)
    desk.sender.script(DOMAIN, says(200, "retry"))
    await desk.give(task(retry_ms=(1_000, 2_000)))
    await tiers.run(MINUTE_MS)
    assert [result.outcome for result in desk.results] == [Outcome.CLIENT_ERROR] * 3
    assert desk.entry("tsk_1").state is State.FAILED
    assert desk.dead_letters[-1].reason == "exhausted"


@pytest.mark.parametrize(
    ("asked", "retry_ms", "due_ms"),
    [("30", 1_000, 30_000), ("30", MINUTE_MS, MINUTE_MS), ("999999999", 1_000, 3_600_000), ("0", 1_000, 1_000)],
)
async def test_retry_after_holds_one_task_back_and_no_other(desk: Desk, asked: str, retry_ms: int, due_ms: int) -> None:
    """Its next attempt comes no sooner, up to the cap on pauses; its domain goes on."""
    desk.sender.script(DOMAIN, says(200, f"retry-after={asked}"), Reply())
    await desk.give(task(retry_ms=(retry_ms,)), task("other"))
    assert desk.held[-1].delivery.due_at_ms == NOW_MS + due_ms
    assert desk.entry("other").state is State.SUCCEEDED


async def test_a_rule_of_the_domain_reads_the_body(desk: Desk) -> None:
    """A 200 with an error inside is tried again, or ends the task, and counts as health of the target."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(answer=(BUSY, WRONG))})
    tiers = Tiers(desk)
    desk.sender.script(
        DOMAIN,
        Reply(Response(200, body=b'{"error": {"code": 4290}}')),
        Reply(Response(200, body=b'{"error": "no such account"}')),
    )
    await desk.give(task(retry_ms=(1_000, 1_000)))
    await tiers.run(MINUTE_MS)
    assert [result.because.rule for result in desk.results] == ["answer.1", "answer.2"]
    assert desk.dead_letters[-1].reason == "answer_rule"
    assert {lane.breaker.state for lane in desk.deliver.gate.lanes} <= {BreakerState.CLOSED}


async def test_a_rule_of_a_named_policy_makes_an_answer_a_success(desk: Desk) -> None:
    """Only for the tasks that name it."""
    there = AnswerRule(Meaning.SUCCESS, text="already there", codes=task().request.success_codes)
    desk.policies = PolicyBook(policies={"once": Policy(answer=(there,))})
    desk.sender.script(DOMAIN, Reply(Response(200, body=b"already there")))
    await desk.give(task("with", policy="once"), task("without"))
    rules = {result.task_id: result.because.rule for result in desk.results}
    assert rules == {"with": "answer.1", "without": "success.2xx"}


async def test_a_redirect_is_told_with_where_it_pointed(desk: Desk) -> None:
    """In the result's detail."""
    desk.sender.script(DOMAIN, Reply(Response(301, (("location", "https://new.example/"),))))
    await desk.give(task())
    assert desk.results[-1].because.detail == "Location: https://new.example/"


async def test_a_certificate_that_is_not_verified_is_told_with_each_attempt(desk: Desk) -> None:
    """In the results and the dead letter of the domain's calls by TLS, and of no others."""
    desk.policies = PolicyBook(domains={DOMAIN: Policy(tls=Tls(verify=False))})
    desk.sender.script(DOMAIN, Reply(Response(410)), Reply())
    await desk.give(task("dead", url=f"https://{DOMAIN}/"), task("plain", url=f"http://{DOMAIN}/"))
    await desk.give(task("other", url="https://other.example/", lane="other.example"))
    told = {result.task_id: result.exchange and result.exchange.tls_verified for result in desk.results}
    assert told == {"dead": False, "plain": True, "other": True}
    assert [letter.last.exchange and letter.last.exchange.tls_verified for letter in desk.dead_letters] == [False]
