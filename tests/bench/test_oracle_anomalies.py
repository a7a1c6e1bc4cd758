"""In otherwise good ledgers the oracle finds exactly what was planted, and in good ones nothing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.oracle_values import Anomaly, Bound, LaneSaid, Limit, ProcessEvent
from tests.bench.made_run import (
    BEGIN_MS,
    CANARIES,
    LANES,
    MARKS,
    SAMPLE_MS,
    STEP_MS,
    Course,
    MadeRun,
    made_run,
)

#: task-0 succeeds at once, task-1 at the third attempt, task-2 fails for good, task-3 is delayed, task-4 is called twice.
COURSES = (Course(), Course(failures=2), Course(1, "failed"), Course(delay_ms=3_000), Course(again=True))
COURSE = st.builds(
    Course,
    failures=st.integers(0, 3),
    state=st.sampled_from(["succeeded", "failed"]),
    delay_ms=st.sampled_from([0, 0, 700, 3_000]),
    again=st.booleans(),
)


def found(run: MadeRun) -> dict[Anomaly, list[str]]:
    """Return what is found, by kind."""
    return {kind: list(who) for kind, who in run.judged().anomalies.items() if who}


def nth(run: MadeRun, task: str, attempt: int) -> int:
    """Return which call is a task's attempt."""
    return next(number for number, call in enumerate(run.calls) if (call.task_id, call.attempt) == (task, attempt))


def told(run: MadeRun, task: str, attempt: int) -> int:
    """Return which result tells of a task's attempt."""
    return next(
        number
        for number, each in enumerate(run.told)
        if (each.task_id, each.attempt) == (task, attempt) and each.attempted
    )


@given(st.lists(COURSE, min_size=1, max_size=8))
def test_a_good_run_is_clean(courses: list[Course]) -> None:
    """Whatever becomes of its tasks, nothing is found; calls that a crash repeats are counted."""
    verdict = made_run(courses).judged()
    assert verdict.stories == []
    assert verdict.clean
    assert verdict.duplicate_calls == sum(course.again for course in courses)
    assert verdict.judged == set(Anomaly)


def test_a_good_run_is_counted() -> None:
    """What was sent again is told by task, and what had a due time by how late it came."""
    verdict = made_run(COURSES).judged()
    assert verdict.duplicates == verdict.resent == {"task-4": 1}
    # Two retries of task-1, one of task-2, and the delayed one, each a step behind its record.
    assert verdict.lateness.calls == 4
    assert verdict.lateness.p50_ms == verdict.lateness.most_ms == STEP_MS + 2


def scheduled_too_early(run: MadeRun) -> str:
    run.change_call(nth(run, "task-3", 1), at_ms=run.asked[3].due_at_ms - 1)  # type: ignore[operator]
    return "task-3"


def delay_that_nobody_minded(run: MadeRun) -> str:
    """The due time was lost on the way: nothing tells of it but the producer."""
    run.told = [each for each in run.told if each.reason != "scheduled"]
    return scheduled_too_early(run)


def retried_too_early(run: MadeRun) -> str:
    number = told(run, "task-1", 2)
    due_at_ms = run.told[told(run, "task-1", 1)].due_at_ms
    assert due_at_ms is not None
    run.change_told(number, started_ms=due_at_ms - 7)
    return "task-1"


def attempt_that_nobody_told(run: MadeRun) -> str:
    del run.told[told(run, "task-1", 2)]
    # Its call is then one too many, which is counted apart.
    return "task-1"


def wait_that_used_up_an_attempt(run: MadeRun) -> str:
    last = told(run, "task-1", 3)
    run.told.insert(last, replace(run.told[last], event_id="wait", attempted=False, state=None, attempt=5))
    return "task-1"


def number_that_was_passed_over(run: MadeRun) -> str:
    run.change_told(told(run, "task-1", 3), attempt=4)
    run.change_call(nth(run, "task-1", 3), attempt=4)
    return "task-1"


def call_of_an_old_attempt(run: MadeRun) -> str:
    last = run.calls[nth(run, "task-1", 3)]
    run.calls.append(replace(last, attempt=2, at_ms=last.at_ms + 5))
    return "task-1"


def result_of_an_old_attempt(run: MadeRun) -> str:
    old = run.told[told(run, "task-1", 1)]
    run.told.append(replace(old, event_id="late"))
    return "task-1"


def call_of_an_old_generation(run: MadeRun) -> str:
    call = run.calls[nth(run, "task-0", 1)]
    end = run.told[told(run, "task-0", 1)]
    run.told.append(replace(end, event_id="replayed", generation=2, at_ms=end.at_ms + 500))
    run.calls += [replace(call, generation=2, at_ms=call.at_ms + 500), replace(call, at_ms=call.at_ms + 600)]
    return "task-0"


def commit_before_the_retry_stood(run: MadeRun) -> str:
    """The record of task-1's first pass is finished a second before its result and retry are written."""
    offset = next(r.offset for r in run.standing if (r.task_id, r.topic) == ("task-1", "deliveries"))
    run.standing = [
        replace(r, stamp_ms=r.stamp_ms + 10 * SAMPLE_MS)
        if r.task_id == "task-1" and r.topic not in ("requests", "deliveries")
        else r
        for r in run.standing
    ]
    assert run.finished_ms["deliveries", offset] < BEGIN_MS + 10 * SAMPLE_MS
    run.commit()
    return "task-1"


def commit_before_the_end_was_told(run: MadeRun) -> str:
    end = told(run, "task-0", 1)
    run.change_told(end, at_ms=run.told[end].at_ms + 10 * SAMPLE_MS)
    return "task-0"


def offset_that_went_back(run: MadeRun) -> str:
    last = run.commits[-1]
    run.commits.append(replace(last, at_ms=last.at_ms + SAMPLE_MS, offset=last.offset - 1))
    return f"{last.group} {last.topic}-0"


def more_than_the_rate(run: MadeRun) -> str:
    run.limits[0] = replace(run.limits[0], per_s=1.0, burst=1)
    return LANES[0]


def call_while_open(run: MadeRun) -> str:
    began_ms = run.told[told(run, "task-1", 2)].started_ms
    assert began_ms is not None
    run.lanes = [LaneSaid(LANES[1], began_ms - 300, "open", began_ms + 700)]
    return LANES[1]


def untold_call_while_open(run: MadeRun) -> str:
    run.lanes = [LaneSaid(LANES[0], BEGIN_MS + 20_000, "open", BEGIN_MS + 30_000)]
    call = run.calls[nth(run, "task-4", 1)]
    run.calls.append(replace(call, at_ms=BEGIN_MS + 20_251))
    return LANES[0]


def credentials_of_another(run: MadeRun) -> str:
    run.change_call(nth(run, "task-0", 1), head=f"POST /\r\nAuthorization: {MARKS['blue'][0]}")
    return "task-0"


def called_as_another(run: MadeRun) -> str:
    run.change_call(nth(run, "task-0", 1), business="blue")
    return "task-0"


def told_as_another(run: MadeRun) -> str:
    run.change_told(told(run, "task-0", 1), business="blue")
    return "task-0"


def secret_in_a_log(run: MadeRun) -> str:
    run.texts.append(("worker-0.err:2", f"could not sign with {CANARIES['signing key']}"))
    return "worker-0.err:2"


def secret_in_base64(run: MadeRun) -> str:
    hidden = b64encode(f"key={CANARIES['signing key']};".encode()).decode()
    run.texts.append(("results.jsonl:7", f'{{"body_base64": "{hidden}"}}'))
    return "results.jsonl:7"


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (scheduled_too_early, Anomaly.EARLY),
        (delay_that_nobody_minded, Anomaly.EARLY),
        (retried_too_early, Anomaly.EARLY),
        (attempt_that_nobody_told, Anomaly.ATTEMPT_SKIP),
        (wait_that_used_up_an_attempt, Anomaly.ATTEMPT_SKIP),
        (number_that_was_passed_over, Anomaly.ATTEMPT_SKIP),
        (call_of_an_old_attempt, Anomaly.ATTEMPT_REGRESS),
        (result_of_an_old_attempt, Anomaly.ATTEMPT_REGRESS),
        (call_of_an_old_generation, Anomaly.ATTEMPT_REGRESS),
        (commit_before_the_retry_stood, Anomaly.OFFSET_OVERRUN),
        (commit_before_the_end_was_told, Anomaly.OFFSET_OVERRUN),
        (offset_that_went_back, Anomaly.OFFSET_REGRESS),
        (more_than_the_rate, Anomaly.RATE_BREACH),
        (call_while_open, Anomaly.BREAKER_BREACH),
        (untold_call_while_open, Anomaly.BREAKER_BREACH),
        (credentials_of_another, Anomaly.CROSS_TENANT),
        (called_as_another, Anomaly.CROSS_TENANT),
        (told_as_another, Anomaly.CROSS_TENANT),
        (secret_in_a_log, Anomaly.SECRET_LEAK),
        (secret_in_base64, Anomaly.SECRET_LEAK),
    ],
)
def test_a_planted_anomaly_is_found(plant: Callable[[MadeRun], str], kind: Anomaly) -> None:
    """Planted in a good run it is found, by its kind and by whom it happened to, and nothing else is."""
    run = made_run(COURSES)
    who = plant(run)
    assert found(run) == {kind: [who]}
    assert any(story.who == who and story.story for story in run.judged().stories)


def test_an_open_breaker_that_nobody_calls_is_no_breach() -> None:
    """Calls begun before it was told open, or after it half-opened, are none; nor is one while it was told closed again."""
    run = made_run(COURSES)
    second = run.told[told(run, "task-1", 2)]
    assert second.started_ms is not None
    run.lanes = [
        LaneSaid(LANES[1], second.started_ms - 900, "open", second.started_ms + 2),
        LaneSaid(LANES[1], second.started_ms + 1, "open", second.started_ms + 800),
        LaneSaid(LANES[0], BEGIN_MS, "open", BEGIN_MS + 90_000),
        LaneSaid(LANES[0], BEGIN_MS + 1, "closed"),
    ]
    assert found(run) == {}


def test_repeated_calls_are_shared_out_over_the_faults() -> None:
    """A repeated call belongs to the fault before it; two processes killed at once are one fault with twice the bound."""
    run = made_run(COURSES)
    again_ms = max(call.at_ms for call in run.calls if call.task_id == "task-4")
    run.processes = [
        ProcessEvent(BEGIN_MS, "w0", "spawned"),
        ProcessEvent(again_ms - 2_500, "w0", "signalled", "KILL"),
        ProcessEvent(again_ms - 20, "w0", "signalled", "KILL"),
        ProcessEvent(again_ms - 10, "w1", "signalled", "KILL"),
        ProcessEvent(again_ms - 9, "w1", "exited", "-9"),
    ]
    first, second = run.judged(Bound(in_flight=20, per_s=100.0, commit_interval_s=0.5)).shares
    assert (first.repeated, first.bound, second.repeated, second.bound) == (0, 70.0, 1, 140.0)
    assert second.of_bound == 0.007
    assert str(second) == "1 calls repeated of at most 140 (0.007) after KILL w0, KILL w1"


def test_what_a_fault_brings_may_be_allowed() -> None:
    """Offsets that a fault takes away go back by nature; the other kinds still count."""
    run = made_run(COURSES)
    offset_that_went_back(run)
    assert run.judged().clean_but(Anomaly.OFFSET_REGRESS)
    secret_in_a_log(run)
    assert not run.judged().clean_but(Anomaly.OFFSET_REGRESS)


@pytest.mark.parametrize(("limit", "breach"), [((2, 0), True), ((3, 0), False), ((2, 500), False)])
def test_the_fullest_second_counts(limit: tuple[int, int], breach: bool) -> None:
    """Five calls in 0.9 s are more than 2/s and a burst of 2 allow, unless their ways may differ by half a second."""
    run = made_run(COURSES)
    per_s, way_ms = limit
    call = run.calls[0]
    run.calls += [replace(call, lane="c.example", at_ms=BEGIN_MS + at) for at in (0, 1_000, 1_300, 1_600, 1_800, 1_900)]
    run.limits = [Limit("c.example", per_s, 2, way_ms=way_ms)]
    assert (Anomaly.RATE_BREACH in found(run)) is breach


def test_a_rate_counts_while_it_is_set() -> None:
    """Calls before a limit was set, or after it was taken away, are not measured by it."""
    run = made_run(COURSES)
    run.limits = [
        Limit(LANES[0], 0.1, 1, from_ms=BEGIN_MS + 60_000),
        Limit(LANES[0], 0.1, 1, until_ms=BEGIN_MS),
    ]
    assert found(run) == {}


def test_a_call_that_was_slow_on_its_way_is_no_step_back() -> None:
    """Its worker gave it up and told of it; the next attempt arrived first, and nobody made the old one again."""
    run = made_run(COURSES)
    slow, last = nth(run, "task-1", 2), nth(run, "task-1", 3)
    run.change_call(slow, at_ms=run.calls[last].at_ms + 100)
    assert found(run) == {}


def test_what_a_fault_cut_off_is_judged_by_nothing() -> None:
    """A task that the case takes out of what was accepted is not asked for, and nobody was in charge of it."""
    run = made_run(COURSES)
    commit_before_the_end_was_told(run)
    run.told = [each for each in run.told if each.task_id != "task-0"]
    run.calls = [each for each in run.calls if each.task_id != "task-0"]
    assert found(run) == {Anomaly.LOST: ["task-0"], Anomaly.OFFSET_OVERRUN: ["task-0"]}
    del run.asked[0]
    assert found(run) == {}
