"""The oracle catches every anomaly that is planted, and takes what is allowed for what it is."""

from __future__ import annotations

import pytest

from bench.oracle import Anomaly, Call, Told, Verdict, judge


def attempt(task: str, number: int, state: str | None = None, *, generation: int = 1, event: str = "") -> Told:
    """Return the result of an attempt, which may be the end."""
    return Told(task, event or f"{task}/{generation}/{number}/{state}", generation, True, state, number)


def decision(task: str, state: str | None, *, generation: int = 1) -> Told:
    """Return a result without an attempt."""
    return Told(task, f"{task}/{generation}/{state}", generation, False, state)


def found(verdict: Verdict) -> dict[Anomaly, list[str]]:
    """Return the kinds of anomalies that were found, with their tasks."""
    return {kind: list(tasks) for kind, tasks in verdict.anomalies.items() if tasks}


GOOD_CALLS = [Call("a", 200), Call("b", 500), Call("b", 200), Call("c", 400), Call("d", None), Call("d", None)]
GOOD_RESULTS = [
    attempt("a", 1, "succeeded"),
    attempt("b", 1),
    attempt("c", 1, "failed"),
    decision("e", None),
    attempt("b", 2, "succeeded"),
    attempt("d", 1),
    attempt("d", 2, "failed"),
    decision("e", "expired"),
]
ASKED = ["a", "b", "c", "d", "e"]


def test_a_good_run_is_clean() -> None:
    """Every task has one end, every call is recorded: nothing is found, and everything is counted."""
    verdict = judge(ASKED, GOOD_CALLS, GOOD_RESULTS)
    assert verdict.clean
    assert found(verdict) == {}
    assert (verdict.tasks, verdict.calls) == (5, 6)
    assert verdict.ends == {"succeeded": 2, "failed": 2, "expired": 1}
    assert (verdict.duplicate_calls, verdict.resent_after_success, verdict.repeated_results) == (0, 0, 0)


@pytest.mark.parametrize(
    ("kind", "asked", "calls", "results", "waiting"),
    [
        pytest.param(Anomaly.LOST, ["x"], [], [], [], id="nothing-was-heard-of-it"),
        pytest.param(Anomaly.LOST, ["x"], [Call("x", 200)], [], [], id="called-and-never-told"),
        pytest.param(Anomaly.LOST, ["x"], [Call("x", 500)], [attempt("x", 1)], [], id="its-retry-is-gone"),
        pytest.param(Anomaly.UNSEEN, ["x"], [], [], ["x"], id="it-still-waits"),
        pytest.param(Anomaly.UNSEEN, ["x"], [Call("x", 500)], [attempt("x", 1)], ["x"], id="its-retry-still-waits"),
        pytest.param(
            Anomaly.DOUBLE_TERMINAL,
            ["x"],
            [Call("x", 200), Call("x", 400)],
            [attempt("x", 1, "succeeded"), attempt("x", 1, "failed")],
            [],
            id="two-ends",
        ),
        pytest.param(
            Anomaly.DOUBLE_TERMINAL,
            ["x"],
            [Call("x", 200), Call("x", 200)],
            [attempt("x", 1, "succeeded"), attempt("x", 2, "succeeded")],
            [],
            id="two-ends-alike-by-two-attempts",
        ),
        pytest.param(
            Anomaly.PHANTOM_SUCCESS, ["x"], [], [attempt("x", 1, "succeeded")], [], id="told-and-never-called"
        ),
        pytest.param(
            Anomaly.PHANTOM_SUCCESS,
            ["x"],
            [Call("x", 500), Call("x", None)],
            [attempt("x", 1), attempt("x", 2, "succeeded")],
            [],
            id="told-and-never-answered-well",
        ),
        pytest.param(
            Anomaly.HIDDEN_SUCCESS, ["x"], [Call("x", 204)], [attempt("x", 1, "failed")], [], id="failed-though-done"
        ),
        pytest.param(
            Anomaly.HIDDEN_SUCCESS,
            ["x"],
            [Call("x", 500), Call("x", 200)],
            [attempt("x", 1), decision("x", "expired")],
            [],
            id="expired-though-done",
        ),
        pytest.param(Anomaly.FOREIGN, [], [], [decision("x", "failed")], [], id="told-of-nobody-asked-for"),
    ],
)
def test_a_planted_anomaly_is_found(
    kind: Anomaly, asked: list[str], calls: list[Call], results: list[Told], waiting: list[str]
) -> None:
    """In the midst of a good run it is found, by its kind and task, and nothing else is."""
    verdict = judge([*ASKED, *asked], [*GOOD_CALLS, *calls], [*GOOD_RESULTS, *results], waiting)
    assert found(verdict) == {kind: ["x"]}
    assert not verdict.clean


def test_a_foreign_call_is_found() -> None:
    """A call for a task that nobody asked for is found, and counts as one too many."""
    verdict = judge(ASKED, [*GOOD_CALLS, Call("x", 200)], GOOD_RESULTS)
    assert found(verdict) == {Anomaly.FOREIGN: ["x"]}
    assert verdict.duplicate_calls == 1


def test_a_call_that_was_sent_again_is_counted_and_allowed() -> None:
    """A crash between a call and its state repeats the call, and may repeat the event: counted, no anomaly."""
    results = [attempt("x", 1, "succeeded", event="e"), attempt("x", 1, "succeeded", event="e")]
    verdict = judge(["x"], [Call("x", 200), Call("x", 200)], results)
    assert verdict.clean
    assert (verdict.duplicate_calls, verdict.resent_after_success, verdict.repeated_results) == (1, 1, 1)


def test_a_call_without_an_answer_that_was_sent_again_is_counted() -> None:
    """The first call was on the wire at the crash, and nobody recorded it."""
    verdict = judge(["x"], [Call("x", None), Call("x", 200)], [attempt("x", 1, "succeeded")])
    assert verdict.clean
    assert (verdict.duplicate_calls, verdict.resent_after_success) == (1, 0)


def test_each_generation_has_its_own_end() -> None:
    """A task that failed and was replayed has two ends, and no anomaly; its last one is what became of it."""
    results = [attempt("x", 1, "failed"), attempt("x", 1, "succeeded", generation=2)]
    verdict = judge(["x"], [Call("x", 500), Call("x", 200)], results)
    assert verdict.clean
    assert verdict.ends == {"succeeded": 1}


def test_the_first_end_of_a_generation_counts() -> None:
    """What is told after the end changes nothing of it, and is an anomaly of its own."""
    results = [attempt("x", 1, "succeeded"), attempt("x", 2, "failed")]
    verdict = judge(["x"], [Call("x", 200), Call("x", 500)], results)
    assert verdict.ends == {"succeeded": 1}
    assert found(verdict) == {Anomaly.DOUBLE_TERMINAL: ["x"]}
