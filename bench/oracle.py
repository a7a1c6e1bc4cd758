"""Judges a run with faults by its ledgers: what was promised against what the receivers and the topics say.

A pure function over three ledgers, each written outside the processes that were killed: the tasks that the broker
acknowledged, the calls that arrived, and the results.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Call:
    """One call that arrived: its task, and the answer it was given (None when none was given)."""

    task_id: str
    status: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """One record of the results topic, in the topic's order: an attempt, an end, or both.

    ``state`` is the task's state when the record is final, else None. Records of one ``event_id`` are one event, written
    more than once.
    """

    task_id: str
    event_id: str
    generation: int
    attempted: bool
    state: str | None


class Anomaly(StrEnum):
    """What must not happen, whatever is killed."""

    #: Acknowledged, without an end, and nothing is left that could bring one.
    LOST = "lost"
    #: Without an end, though something of it still waits: it was not waited for long enough, or it is stuck.
    UNSEEN = "unseen"
    #: Two different ends in one generation.
    DOUBLE_TERMINAL = "double-terminal"
    #: Told as succeeded, and no call of it was answered with success.
    PHANTOM_SUCCESS = "phantom-success"
    #: Answered with success, and told as ended otherwise.
    HIDDEN_SUCCESS = "hidden-success"
    #: Called, or told of, though nobody asked for it.
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the ledgers say: anomalies by kind, each with the tasks it happened to, and counts that are no anomalies."""

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

    @property
    def clean(self) -> bool:
        """Whether nothing happened that must not."""
        return not any(self.anomalies.values())


def judge(
    accepted: Collection[str], calls: Iterable[Call], results: Iterable[Told], waiting: Collection[str] = ()
) -> Verdict:
    """Compare the ledgers; ``waiting`` are the tasks of which a record stands on a topic, not yet finished.

    The first end of a generation on the results topic is its end. A second one is an anomaly unless it is the same event.
    """
    asked = set(accepted)
    calls = list(calls)
    told = _by_task(results)
    answered = _by_call(calls)
    ends = {task: _ends(records) for task, records in told.items()}
    last = {task: by_generation[max(by_generation)][0] for task, by_generation in ends.items() if by_generation}
    open_tasks = asked - last.keys()
    succeeded = {task for task, states in ends.items() if any(each[0] == SUCCEEDED for each in states.values())}
    welcomed = {task for task, statuses in answered.items() if any(map(_is_success, statuses))}
    attempts = {task: len({each.event_id for each in records if each.attempted}) for task, records in told.items()}
    return Verdict(
        tasks=len(asked),
        calls=len(calls),
        ends=Counter(last.values()),
        anomalies={
            Anomaly.LOST: sorted(open_tasks - set(waiting)),
            Anomaly.UNSEEN: sorted(open_tasks & set(waiting)),
            Anomaly.DOUBLE_TERMINAL: sorted(
                task for task, states in ends.items() if max(map(len, states.values()), default=0) > 1
            ),
            Anomaly.PHANTOM_SUCCESS: sorted(succeeded - welcomed),
            Anomaly.HIDDEN_SUCCESS: sorted((welcomed & last.keys()) - succeeded),
            Anomaly.FOREIGN: sorted((told.keys() | answered.keys()) - asked),
        },
        duplicate_calls=sum(max(0, len(statuses) - attempts.get(task, 0)) for task, statuses in answered.items()),
        resent_after_success=sum(map(_resent, answered.values())),
        repeated_results=sum(len(records) - len({each.event_id for each in records}) for records in told.values()),
    )


def _by_task(results: Iterable[Told]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = defaultdict(list)
    for told in results:
        found[told.task_id].append(told)
    return found


def _by_call(calls: Iterable[Call]) -> dict[str, list[int | None]]:
    found: dict[str, list[int | None]] = defaultdict(list)
    for call in calls:
        found[call.task_id].append(call.status)
    return found


def _ends(records: Iterable[Told]) -> dict[int, list[str]]:
    """Return the states that ended each generation, the first coming first; a repeated event counts once."""
    ends: dict[int, dict[str, str]] = defaultdict(dict)
    for told in records:
        if told.state is not None:
            ends[told.generation].setdefault(told.event_id, told.state)
    return {generation: list(by_event.values()) for generation, by_event in ends.items()}


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _resent(statuses: Sequence[int | None]) -> int:
    first = next((number for number, status in enumerate(statuses) if _is_success(status)), len(statuses))
    return max(0, len(statuses) - first - 1)
