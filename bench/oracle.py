"""Judges a run with faults by its ledgers: what was promised against what the receivers and the topics say.

A pure function over ledgers, each written outside the processes that were killed: the tasks that the broker acknowledged,
the calls that arrived, the results, and as much as there is of committed offsets, lanes, processes and texts.
``python -m bench.oracle DIRECTORY`` judges a finished run again by its files.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.oracle_attempts import Number, is_success, misnumbered, numbered, repeated, resent
from bench.oracle_kills import Share, shared_out
from bench.oracle_lanes import breaker_breaches, rate_breaches
from bench.oracle_offsets import overrun, went_back
from bench.oracle_tenants import crossed, leaks
from bench.oracle_times import Lateness, due_times, early, late
from bench.oracle_values import SUCCEEDED, Anomaly, Bound, Call, Evidence, Finding, Told

__all__ = ["SUCCEEDED", "Anomaly", "Bound", "Call", "Evidence", "Finding", "Told", "Verdict", "judge"]

Numbered = Mapping[str, Sequence[tuple[Number | None, Call]]]
_NOTHING = Evidence()
#: Judged of every run; the others where there is something to judge them by.
_ALWAYS = frozenset(
    {
        Anomaly.LOST, Anomaly.UNSEEN, Anomaly.DOUBLE_TERMINAL, Anomaly.PHANTOM_SUCCESS, Anomaly.HIDDEN_SUCCESS,
        Anomaly.FOREIGN, Anomaly.EARLY, Anomaly.ATTEMPT_SKIP, Anomaly.ATTEMPT_REGRESS,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledgers say: anomalies by kind, each with whom it happened to, and counts that are no anomalies.

    It happens to a task, or else to a lane, a partition or a place in a text; ``stories`` has a sentence for each.
    """

    tasks: int
    calls: int
    ends: Mapping[str, int]
    anomalies: Mapping[Anomaly, Sequence[str]] = field(default_factory=dict)
    #: Calls beyond the recorded attempts: sent, and sent again because a crash fell before the acknowledged state.
    duplicate_calls: int = 0
    #: Of these, calls that came after one that had been answered with success.
    resent_after_success: int = 0
    #: Records of the results topic that repeat an event; a consumer drops them by their event id.
    repeated_results: int = 0
    #: The two counts of calls above, by task.
    duplicates: Mapping[str, int] = field(default_factory=dict)
    resent: Mapping[str, int] = field(default_factory=dict)
    #: What there was something to judge by; of the other kinds nothing is said.
    judged: frozenset[Anomaly] = _ALWAYS
    stories: Sequence[Finding] = ()
    lateness: Lateness = field(default_factory=Lateness)
    #: The calls that were repeated, by the fault that went before, beside the bound.
    shares: Sequence[Share] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not."""
        return not any(self.anomalies.values())

    def clean_but(self, *kinds: Anomaly) -> bool:
        """Tell whether nothing happened but what a fault brings by its nature, as lost offsets step back."""
        return not any(found for kind, found in self.anomalies.items() if kind not in kinds)


def judge(
    accepted: Collection[str],
    calls: Iterable[Call],
    results: Iterable[Told],
    waiting: Collection[str] = (),
    evidence: Evidence = _NOTHING,
) -> Verdict:
    """Compare the ledgers; ``waiting`` are the tasks of which a record stands on a topic, not yet finished.

    The first end of a generation on the results topic is its end. A second one is an anomaly unless it is the same event.
    """
    asked = set(accepted)
    in_order = sorted(calls, key=lambda call: call.at_ms)
    told, answered = _by_task(results), _by_call(in_order)
    by_number: Numbered = {task: numbered(its, told.get(task, ())) for task, its in answered.items()}
    ends = {task: _ends(records) for task, records in told.items()}
    last = {task: by_generation[max(by_generation)][0] for task, by_generation in ends.items() if by_generation}
    again = {task: repeated(its, told.get(task, ())) for task, its in by_number.items()}
    sent_again = {task: count for task, its in answered.items() if (count := resent(its))}
    dues = due_times(evidence.asked, told)
    findings = [
        *_of_ends(asked, waiting, told, answered, ends, last),
        *misnumbered(told, by_number),
        *early(dues, told, by_number, evidence.slack_ms),
        *_of_evidence(evidence, asked, told, in_order, by_number),
    ]
    return Verdict(
        tasks=len(asked),
        calls=len(in_order),
        ends=Counter(last.values()),
        anomalies={kind: sorted({each.who for each in findings if each.kind is kind}) for kind in Anomaly},
        duplicate_calls=sum(map(len, again.values())),
        resent_after_success=sum(sent_again.values()),
        repeated_results=sum(len(records) - len({each.event_id for each in records}) for records in told.values()),
        duplicates={task: len(its) for task, its in again.items() if its},
        resent=sent_again,
        judged=_ALWAYS | _judged(evidence),
        stories=findings,
        lateness=late(dues, by_number),
        shares=shared_out(again.values(), evidence.processes, evidence.bound),
    )


def _of_ends(
    asked: Collection[str],
    waiting: Collection[str],
    told: Mapping[str, Sequence[Told]],
    answered: Mapping[str, Sequence[Call]],
    ends: Mapping[str, Mapping[int, Sequence[str]]],
    last: Mapping[str, str],
) -> Iterator[Finding]:
    waits = set(waiting)
    for task in asked:
        if task not in last:
            yield Finding(Anomaly.UNSEEN if task in waits else Anomaly.LOST, task, "has no end")
    for task, by_generation in ends.items():
        for generation, states in by_generation.items():
            if len(states) > 1:
                story = f"generation {generation} ended as {' and as '.join(states)}"
                yield Finding(Anomaly.DOUBLE_TERMINAL, task, story)
    succeeded = {task for task, states in ends.items() if any(each[0] == SUCCEEDED for each in states.values())}
    welcomed = {task for task, its in answered.items() if any(is_success(call.status) for call in its)}
    for task in succeeded - welcomed:
        yield Finding(Anomaly.PHANTOM_SUCCESS, task, "is told as succeeded, and no call was answered so")
    for task in (welcomed & last.keys()) - succeeded:
        yield Finding(Anomaly.HIDDEN_SUCCESS, task, f"was answered with success, and is told as {last[task]}")
    for task in (told.keys() | answered.keys()) - set(asked):
        yield Finding(Anomaly.FOREIGN, task, "was asked for by nobody")


def _of_evidence(
    evidence: Evidence,
    asked: Collection[str],
    told: Mapping[str, Sequence[Told]],
    calls: Sequence[Call],
    by_number: Numbered,
) -> Iterator[Finding]:
    yield from went_back(evidence.commits)
    if evidence.commits:
        standing = [record for record in evidence.standing if record.task_id in asked]
        yield from overrun(standing, evidence.commits, evidence.readers, told, evidence.slack_ms)
    yield from rate_breaches(calls, evidence.limits)
    yield from breaker_breaches(evidence.lanes or (), told, by_number, evidence.slack_ms)
    records = (each for its in told.values() for each in its)
    yield from crossed(evidence.asked, calls, records, evidence.marks)
    yield from leaks(evidence.texts, evidence.canaries)


def _judged(evidence: Evidence) -> set[Anomaly]:
    there = {
        Anomaly.OFFSET_REGRESS: bool(evidence.commits),
        Anomaly.OFFSET_OVERRUN: bool(evidence.commits and evidence.standing),
        Anomaly.RATE_BREACH: bool(evidence.limits),
        Anomaly.BREAKER_BREACH: evidence.lanes is not None,
        Anomaly.CROSS_TENANT: any(task.business for task in evidence.asked),
        Anomaly.SECRET_LEAK: bool(evidence.canaries),
    }
    return {kind for kind, known in there.items() if known}


def _by_task(results: Iterable[Told]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = defaultdict(list)
    for told in results:
        found[told.task_id].append(told)
    return found


def _by_call(calls: Iterable[Call]) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        found[call.task_id].append(call)
    return found


def _ends(records: Iterable[Told]) -> dict[int, list[str]]:
    """Return the states that ended each generation, the first coming first; a repeated event counts once."""
    ends: dict[int, dict[str, str]] = defaultdict(dict)
    for told in records:
        if told.state is not None:
            ends[told.generation].setdefault(told.event_id, told.state)
    return {generation: list(by_event.values()) for generation, by_event in ends.items()}


if __name__ == "__main__":
    # What reads the files knows this module by its other name.
    from bench.oracle_report import main

    main()
