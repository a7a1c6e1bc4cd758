"""What the oracle reads and what it may find: plain values, whoever has written them down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Asked:
    """One task as its producer asked for it; ``due_at_ms`` where it is not to be called at once."""

    task_id: str
    due_at_ms: int | None = None
    business: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that arrived: its task, and the answer it was given (None when none was given).

    ``at_ms``, ``attempt`` and ``generation`` are 0 and ``lane`` is empty where nobody noted them. ``head`` is the request's
    head, for who looks for other people's credentials in it.
    """

    task_id: str
    status: int | None
    at_ms: int = 0
    attempt: int = 0
    generation: int = 0
    lane: str = ""
    business: str = ""
    head: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One record of the results topic, in the topic's order: an attempt, an end, or both.

    ``state`` is the task's state when the record is final, else None. Records of one ``event_id`` are one event, written
    more than once. ``attempt`` is the attempt's number, or the next one's where none was made; 0 for a command's answer.
    """

    task_id: str
    event_id: str
    generation: int
    attempted: bool
    state: str | None
    attempt: int = 0
    at_ms: int = 0
    started_ms: int | None = None
    due_at_ms: int | None = None
    reason: str | None = None
    business: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """One record of a task on a topic that somebody commits; ``stamp_ms`` is no later than when it stood there."""

    task_id: str
    topic: str
    partition: int
    offset: int
    stamp_ms: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A committed offset as somebody else read it; ``at_ms`` is when the answer was there."""

    at_ms: int
    group: str
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Limit:
    """The rate of a lane as it was set, from one instant until another (None: to the end).

    Two calls that begin a second apart may arrive closer together: ``way_ms`` is by how much the ways may differ, as they do
    on a machine that does too much at once.
    """

    lane: str
    per_s: float
    burst: int
    from_ms: int = 0
    until_ms: int | None = None
    way_ms: int = 0


@dataclass(frozen=True, slots=True)
class LaneSaid:
    """A lane's breaker as it was told at an instant; ``open_until_ms`` is 0 where it has not been open."""

    lane: str
    at_ms: int
    breaker: str
    open_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """What happened to a process: ``what`` is ``spawned``, ``signalled`` or ``exited``; the detail names signal or code."""

    at_ms: int
    name: str
    what: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """How many calls the death of one process may repeat: those on the wire, and those answered but not yet settled."""

    in_flight: int
    per_s: float
    commit_interval_s: float

    @property
    def calls(self) -> float:
        """The bound for one death: window + rate · commit interval."""
        return self.in_flight + self.per_s * self.commit_interval_s


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known beside the tasks, calls and results; what nobody has looked at stays empty, and is not judged.

    ``readers`` names the group that commits each topic. ``lanes`` are in the order of their topic; None where nobody
    followed it. ``marks`` are texts that only a business's own calls may carry. ``canaries`` are secrets by their names;
    ``texts`` are read once: places, and what stands there. ``slack_ms`` is by how much clocks may differ.
    """

    asked: Sequence[Asked] = ()
    standing: Sequence[Standing] = ()
    commits: Sequence[Commit] = ()
    readers: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[Limit] = ()
    lanes: Sequence[LaneSaid] | None = None
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    canaries: Mapping[str, str] = field(default_factory=dict)
    texts: Iterable[tuple[str, str]] = ()
    processes: Sequence[ProcessEvent] = ()
    bound: Bound | None = None
    slack_ms: int = 0


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
    #: Called before it was due.
    EARLY = "early"
    #: An attempt's number that was passed over.
    ATTEMPT_SKIP = "attempt-skip"
    #: An attempt after one with a higher number.
    ATTEMPT_REGRESS = "attempt-regress"
    #: All that stood of a task was committed, and what follows from it was not yet written.
    OFFSET_OVERRUN = "offset-overrun"
    #: A committed offset went back.
    OFFSET_REGRESS = "offset-regress"
    #: More calls of a domain within a second than its rate and burst allow.
    RATE_BREACH = "rate-breach"
    #: A call of a domain while its breaker was told open.
    BREAKER_BREACH = "breaker-breach"
    #: What belongs to one business at a call, or in a result, of another's task.
    CROSS_TENANT = "cross-tenant"
    #: A secret where somebody reads.
    SECRET_LEAK = "secret-leak"


@dataclass(frozen=True, slots=True)
class Finding:
    """One anomaly: whose it is (a task, a lane, a partition, a place), and a sentence that tells it."""

    kind: Anomaly
    who: str
    story: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.who}: {self.story}"
