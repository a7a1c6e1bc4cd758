"""A run as its ledgers would show it, made of nothing but numbers: tasks that are called, retried, and end.

It is good: each step is written before the record that it follows from is committed, and offsets are committed and sampled
as a worker and its watcher would. What is planted in it is all that may be found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bench.oracle import Verdict, judge
from bench.oracle_values import Asked, Bound, Call, Commit, Evidence, LaneSaid, Limit, ProcessEvent, Standing, Told

BEGIN_MS = 1_700_000_000_000
SAMPLE_MS = 250
STEP_MS = 40
RETRY_MS = 1_000
READERS = {"requests": "intake", "deliveries": "deliver", "due": "deliver", "retry-1s": "hold"}
LANES = ("a.example", "b.example")
BUSINESSES = ("red", "blue")
MARKS = {"red": ["Bearer red-token"], "blue": ["Bearer blue-token"]}
CANARIES = {"signing key": "whsec_c2VjcmV0IGNhbmFyeQ"}


@dataclass(frozen=True, slots=True)
class Course:
    """What becomes of one task: how often it fails before its end, which end, and by how much it is delayed.

    ``again`` repeats its last call, as a crash does between a call and its state.
    """

    failures: int = 0
    state: str = "succeeded"
    delay_ms: int = 0
    again: bool = False


@dataclass(slots=True)
class MadeRun:
    """The ledgers, which a test may change before they are judged."""

    asked: list[Asked] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    standing: list[Standing] = field(default_factory=list)
    #: When each record was finished, by topic and offset.
    finished_ms: dict[tuple[str, int], int] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    lanes: list[LaneSaid] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=lambda: [("worker-0.err:1", "nothing to see here")])
    processes: list[ProcessEvent] = field(default_factory=list)

    def judged(self, bound: Bound | None = None) -> Verdict:
        """Return the verdict over everything."""
        evidence = Evidence(
            asked=self.asked,
            standing=self.standing,
            commits=self.commits,
            readers=READERS,
            limits=self.limits,
            lanes=self.lanes,
            marks=MARKS,
            canaries=CANARIES,
            texts=self.texts,
            processes=self.processes,
            bound=bound,
        )
        return judge([task.task_id for task in self.asked], self.calls, self.told, (), evidence)

    def change_call(self, number: int, **changed: object) -> None:
        """Put another call in place of one."""
        self.calls[number] = replace(self.calls[number], **changed)  # type: ignore[arg-type]

    def change_told(self, number: int, **changed: object) -> None:
        """Put another result in place of one."""
        self.told[number] = replace(self.told[number], **changed)  # type: ignore[arg-type]

    def commit(self) -> None:
        """Commit and sample anew, by when records stood and were finished."""
        last_ms = max(self.finished_ms.values()) + 2 * SAMPLE_MS
        places: dict[str, list[Standing]] = defaultdict(list)
        for record in self.standing:
            places[record.topic].append(record)
        self.commits = []
        for topic, records in places.items():
            for at_ms in range(BEGIN_MS, last_ms + SAMPLE_MS, SAMPLE_MS):
                open_ones = [each.offset for each in records if self.finished_ms[topic, each.offset] > at_ms]
                stood = [each.offset for each in records if each.stamp_ms <= at_ms]
                offset = min([*open_ones, max(stood, default=-1) + 1])
                self.commits.append(Commit(at_ms, READERS[topic], topic, 0, offset))


def made_run(courses: Sequence[Course]) -> MadeRun:
    """Return the run of tasks that take these courses, one beginning after the other."""
    run = MadeRun()
    for number, course in enumerate(courses):
        _Task(run, number, course).live()
    # Offsets are in the order in which records came to stand on their topic.
    offsets: dict[str, int] = defaultdict(int)
    in_order = sorted(zip(run.standing, list(run.finished_ms.values()), strict=True), key=lambda pair: pair[0].stamp_ms)
    run.standing, run.finished_ms = [], {}
    for record, finished_ms in in_order:
        run.standing.append(replace(record, offset=offsets[record.topic]))
        run.finished_ms[record.topic, offsets[record.topic]] = finished_ms
        offsets[record.topic] += 1
    run.calls.sort(key=lambda call: call.at_ms)
    run.told.sort(key=lambda told: told.at_ms)
    run.limits = [Limit(lane, float(len(courses) + 1), 1) for lane in LANES]
    run.commit()
    return run


class _Task:
    def __init__(self, run: MadeRun, number: int, course: Course) -> None:
        self.run, self.course = run, course
        self.id, self.number = f"task-{number}", number
        self.business = BUSINESSES[number % len(BUSINESSES)]
        self.now_ms = BEGIN_MS + number * 2 * STEP_MS
        self._due_ms = self.now_ms + course.delay_ms
        run.asked.append(Asked(self.id, self._due_ms if course.delay_ms else None, self.business))

    def live(self) -> None:
        """Go from the request to the end."""
        self._stand("requests")
        self._stand("deliveries")
        if self.course.delay_ms:
            self._tell(1, None, due_at_ms=self._due_ms, reason="scheduled")
            self._wait()
        for attempt in range(1, self.course.failures + 1):
            started_ms = self._call(attempt, 500)
            self._due_ms = self.now_ms + RETRY_MS
            self._tell(attempt, None, started_ms, self._due_ms, "retry")
            self._wait()
        last, status = self.course.failures + 1, 200 if self.course.state == "succeeded" else 400
        started_ms = self._call(last, status)
        if self.course.again:
            started_ms = self._call(last, status)
        self._tell(last, self.course.state, started_ms)
        self._finish()

    def _wait(self) -> None:
        self._stand("retry-1s")
        self.now_ms = max(self.now_ms, self._due_ms)
        self._stand("due")

    def _call(self, attempt: int, status: int) -> int:
        started_ms = self.now_ms
        self.now_ms += STEP_MS
        lane, head = LANES[self.number % len(LANES)], f"POST / HTTP/1.1\r\nAuthorization: {MARKS[self.business][0]}"
        self.run.calls.append(Call(self.id, status, started_ms + 2, attempt, 1, lane, self.business, head))
        return started_ms

    def _tell(
        self,
        attempt: int,
        state: str | None,
        started_ms: int | None = None,
        due_at_ms: int | None = None,
        reason: str | None = None,
    ) -> None:
        event = f"{self.id}/{attempt}/{reason}/{state}"
        attempted = started_ms is not None
        self.run.told.append(
            Told(
                self.id, event, 1, attempted, state, attempt, self.now_ms, started_ms, due_at_ms, reason, self.business
            )
        )

    def _stand(self, topic: str) -> None:
        """Write the record that brings the task on; the one before is then finished."""
        self._finish()
        key = topic, len(self.run.finished_ms)
        self.run.standing.append(Standing(self.id, topic, 0, key[1], self.now_ms))
        self.run.finished_ms[key] = 0
        self._open = key
        self.now_ms += STEP_MS

    def _finish(self) -> None:
        if (key := getattr(self, "_open", None)) is not None:
            self.run.finished_ms[key] = self.now_ms
