"""The oracle's eye on committed offsets: none goes back, and none leaves a task with nothing that would bring it on.

What can be said of offsets that were read now and then: a sample shows that an offset was committed *by* its instant,
not since when; a record's stamp shows that it stood on its topic *no sooner* than that. So a task's record is in somebody's
charge at most from its stamp until the first sample beyond it. If these spans leave a gap between the task's first
record and its end, then the task was in nobody's charge within it, and a crash there would have lost it. A gap that is
shorter than the pause between two samples may be missed; none that is found is an error of the sampling, as long as the
clocks agree. A generation that a command began is not looked at: its task has had an end.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf

from bench.oracle_values import Anomaly, Commit, Finding, Standing, Told

#: A topic's name and a partition's number.
Place = tuple[str, int]


def went_back(commits: Iterable[Commit]) -> Iterator[Finding]:
    """Find committed offsets that are lower than they had been."""
    newest: dict[tuple[str, Place], int] = {}
    for commit in sorted(commits, key=lambda each: each.at_ms):
        key = commit.group, (commit.topic, commit.partition)
        before = newest.get(key, 0)
        if commit.offset < before:
            who = f"{commit.group} {commit.topic}-{commit.partition}"
            yield Finding(Anomaly.OFFSET_REGRESS, who, f"{before} → {commit.offset} at {commit.at_ms}")
        newest[key] = commit.offset


def overrun(
    standing: Iterable[Standing],
    commits: Iterable[Commit],
    readers: Mapping[str, str],
    told: Mapping[str, Sequence[Told]],
    slack_ms: int,
) -> Iterator[Finding]:
    """Find tasks that were in nobody's charge before their end; see the module's text."""
    passed = _Passed(commits, readers)
    by_task: dict[str, dict[tuple[Place, int], Standing]] = defaultdict(dict)
    for record in standing:
        by_task[record.task_id][(record.topic, record.partition), record.offset] = record
    for task, records in by_task.items():
        ended_ms = min((each.at_ms for each in told.get(task, ()) if each.state is not None), default=inf)
        in_order = sorted(records.values(), key=lambda each: each.stamp_ms)
        charge_ms: float = in_order[0].stamp_ms
        last = in_order[0]
        for record in in_order:
            if record.stamp_ms > charge_ms + slack_ms:
                break
            if (passed_ms := passed.when(record)) > charge_ms:
                charge_ms, last = passed_ms, record
        next_ms = min((each.stamp_ms for each in in_order if each.stamp_ms > charge_ms), default=inf)
        if charge_ms + slack_ms < (missed_ms := min(next_ms, ended_ms)):
            since = f"{missed_ms - charge_ms:g} ms later" if missed_ms < inf else "never"
            where = f"{last.topic}-{last.partition} is committed beyond {last.offset}"
            yield Finding(Anomaly.OFFSET_OVERRUN, task, f"{where}, and what follows from it was written {since}")


class _Passed:
    """When each offset was first seen committed."""

    def __init__(self, commits: Iterable[Commit], readers: Mapping[str, str]) -> None:
        #: Committed offsets that were the highest so far, and when each was seen; both ascend.
        self._highest: dict[Place, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for commit in sorted(commits, key=lambda each: each.at_ms):
            if readers.get(commit.topic, commit.group) != commit.group:
                continue
            offsets, seen_ms = self._highest[commit.topic, commit.partition]
            if not offsets or commit.offset > offsets[-1]:
                offsets.append(commit.offset)
                seen_ms.append(commit.at_ms)

    def when(self, record: Standing) -> float:
        offsets, seen_ms = self._highest.get((record.topic, record.partition), ([], []))
        index = bisect_right(offsets, record.offset)
        return seen_ms[index] if index < len(offsets) else inf
