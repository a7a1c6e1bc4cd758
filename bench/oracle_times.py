"""The oracle's eye on due times: calls that came too soon, and by how much the others were late."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.oracle_attempts import Number
from bench.oracle_values import Anomaly, Asked, Call, Finding, Told
from bench.spread import spread

#: A task's id, and which of its attempts.
Attempt = tuple[str, Number]


@dataclass(frozen=True, slots=True)
class Lateness:
    """By how much calls that had a due time came after it; of an attempt that was called again, the first call."""

    calls: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    most_ms: float = 0.0

    def __str__(self) -> str:
        return f"p50 {self.p50_ms:g} ms, p99 {self.p99_ms:g} ms, most {self.most_ms:g} ms, of {self.calls} calls"


def due_times(asked: Iterable[Asked], told: Mapping[str, Sequence[Told]]) -> dict[Attempt, int]:
    """Return when attempts were due: as asked for, as a retry was promised, or as a command set it.

    An attempt that was made twice promises two retries, and the sooner holds. What a deferral says is no promise: it is
    when the lane looks again. Nor is a command's due time that is the very instant of its answer, since the answer may
    have been lost in a crash and given again later.
    """
    dues: dict[Attempt, int] = {}
    for task, records in told.items():
        for each in records:
            if each.due_at_ms is not None and (attempt := _promised(each)):
                key = task, (each.generation, attempt)
                dues[key] = min(dues.get(key, each.due_at_ms), each.due_at_ms)
    # The producer knows best: a due time that was misread on the way must not excuse itself.
    return dues | {(task.task_id, (1, 1)): task.due_at_ms for task in asked if task.due_at_ms is not None}


def _promised(told: Told) -> int:
    match told.reason:
        case "retry" if told.attempted:
            return told.attempt + 1
        case "scheduled":
            return told.attempt
        case "applied" if told.due_at_ms and told.due_at_ms > told.at_ms:
            return 1
        case _:
            return 0


def early(
    dues: Mapping[Attempt, int],
    told: Mapping[str, Sequence[Told]],
    calls: Mapping[str, Sequence[tuple[Number | None, Call]]],
    slack_ms: int,
) -> Iterator[Finding]:
    """Find calls that arrived before they were due, or began before it by what their worker told."""
    for (task, number), due_at_ms in dues.items():
        begun = [each.started_ms for each in told.get(task, ()) if (each.generation, each.attempt) == number]
        came = [call.at_ms for its, call in calls.get(task, ()) if its == number and call.at_ms]
        first_ms = min([*came, *(at_ms for at_ms in begun if at_ms is not None)], default=due_at_ms)
        if first_ms < due_at_ms - slack_ms:
            story = f"attempt {number[1]} of generation {number[0]} came {due_at_ms - first_ms} ms before it was due"
            yield Finding(Anomaly.EARLY, task, story)


def late(dues: Mapping[Attempt, int], calls: Mapping[str, Sequence[tuple[Number | None, Call]]]) -> Lateness:
    """Return how late the calls came that had a due time."""
    behind = [
        float(at_ms - due_at_ms)
        for (task, number), due_at_ms in dues.items()
        if (at_ms := next((call.at_ms for its, call in calls.get(task, ()) if its == number and call.at_ms), 0))
    ]
    if not behind:
        return Lateness()
    shares = spread(behind)
    return Lateness(len(behind), shares["p50"], shares["p99"], shares["max"])
