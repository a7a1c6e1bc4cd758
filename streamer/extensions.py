"""What other packages may add to Streamer: four small Protocols, found by Python entry points, and the values they speak in.

This module is all that an extension needs to import, and all that is promised to it: fields are added to these values, none
is taken away and none changes its meaning. An extension is named in the setting ``extensions``; one that is only installed
does nothing.

The entry point is a callable, a class as a rule. It is called once in each worker process with ``Tools``, and returns an
object that fits the group's Protocol. What that object raises never loses a task: each Protocol says what counts in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

#: Groups of entry points, each with one Protocol.
SIGNERS, JUDGES, RETRIES, LISTENERS = "streamer.signers", "streamer.judges", "streamer.retries", "streamer.listeners"
GROUPS = (SIGNERS, JUDGES, RETRIES, LISTENERS)


@dataclass(frozen=True, slots=True)
class Tools:
    """What an extension is given when it is made.

    ``name`` is that of its entry point. ``secret`` returns a secret's value by its name, from wherever this installation keeps
    secrets, and raises LookupError where there is none: ask at each use, since secrets are rotated.
    """

    name: str
    secret: Callable[[str], Coroutine[Any, Any, bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt as it is about to go on the wire, or as it went.

    ``headers`` are all that is sent, in order, but for those that the HTTP client adds itself (Host, Content-Length). ``body``
    is the exact bytes. ``url``, headers and body may hold secrets: keep them to yourself. ``at_ms`` is epoch ms.

    That is what a signer sees. A judge sees what results may hold: ``${secret:NAME}`` as the task wrote it, and ``***`` for the
    value of a header that credentials or a signer put in.
    """

    task_id: str
    business: str
    business_id: str | None
    domain: str
    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    attempt: int
    generation: int
    webhook_id: str
    metadata: tuple[tuple[str, str], ...]
    at_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A target's answer; ``body`` is the kept head of it, unpacked where that could be done, and ``truncated`` tells of more."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    truncated: bool


class Meaning(StrEnum):
    """What an answer means."""

    SUCCESS = "success"
    #: Another attempt is worth it, as long as the task has attempts and time left.
    RETRY = "retry"
    #: No attempt will do better: the task ends in the dead letters.
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judge's word on an answer; ``reason`` stands in the result, cut after 300 characters, and must hold no secret.

    ``wait_ms`` is how long the next attempt shall wait at least; it counts for RETRY only.
    """

    meaning: Meaning
    reason: str
    wait_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """The retry that is due next when nobody says otherwise: the attempt that failed, and when the next one would begin.

    ``error_type`` and ``outcome`` are as in results. ``made`` counts the attempts made, the failed one included. ``left`` is how
    many more the task's policy allows, None where only time bounds it. Instants are epoch ms.
    """

    task_id: str
    business: str
    domain: str
    outcome: str
    error_type: str | None
    status: int | None
    made: int
    left: int | None
    now_ms: int
    due_at_ms: int
    expires_at_ms: int | None
    metadata: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RetryAt:
    """The next attempt begins at ``at_ms``, epoch ms, rather than when it was planned."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No attempt follows: the task ends in the dead letters with the reason ``gave_up`` and these words."""

    reason: str


class EventKind(StrEnum):
    """All that listeners are told of."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    ATTEMPT_FAILED = "attempt_failed"
    SUCCEEDED = "succeeded"
    #: It ended without success though attempts were left: an answer that is final, a time that is over, a request refused.
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"
    UPDATED = "updated"
    REPLAYED = "replayed"
    BREAKER_CHANGED = "breaker_changed"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened, and that the broker has acknowledged.

    ``id`` is the same when the same thing is told twice, as after a crash: for what stands on ``results`` it is that record's
    event id. ``task_id`` and what belongs to a task are empty for BREAKER_CHANGED, whose ``detail`` is the breaker's new state.
    ``attempt`` is 0 where no attempt was made. ``due_at_ms`` is when the task goes on, where it waits, and when an
    open breaker is tried again. ``reason`` is as in results, ``detail`` of a command by whom it was. No event has a URL,
    header or body.
    """

    kind: EventKind
    id: str
    at_ms: int
    domain: str
    task_id: str = ""
    business: str = ""
    business_id: str | None = None
    generation: int = 0
    attempt: int = 0
    outcome: str | None = None
    error_type: str | None = None
    status: int | None = None
    reason: str | None = None
    detail: str | None = None
    due_at_ms: int | None = None
    duration_ms: float | None = None
    metadata: tuple[tuple[str, str], ...] = ()


class Signer(Protocol):
    """Signs or authenticates a call (group ``streamer.signers``)."""

    async def headers(self, call: Call) -> Sequence[tuple[str, str]]:
        """Return the headers to add; one of a name that the call has takes its place. None to add: an empty sequence.

        Asked before each attempt, within the call's timeout, when all else of the call is ready; signers are asked one after
        the other, and each sees what those before it added. The values are masked in results and taken out of answers. A name
        that tasks may not set is refused, but for ``webhook-signature``. When this raises, or is too late, nothing is sent: the
        attempt fails with ``credentials_error``, which is tried again. With an ``Authorization`` header of a signer a public
        address is called over https only.
        """


class Judge(Protocol):
    """Judges answers (group ``streamer.judges``)."""

    def judge(self, call: Call, answer: Answer) -> Verdict | None:
        """Return what the answer means, or None to leave it to the receiver's word, the rules and the codes.

        Asked for each answer, on the event loop: be quick, and do no I/O. The first judge with a word is the last that is asked.
        When this raises, it counts as None, and the result says so.
        """


class Retry(Protocol):
    """Chooses when the next attempt begins (group ``streamer.retries``)."""

    def next(self, planned: Planned) -> RetryAt | GiveUp | None:
        """Return another time, an end, or None to leave it as planned.

        Asked on the event loop when a retry is planned: be quick, and do no I/O. The first with a word is the last that is
        asked. No time is earlier than now or than the receiver asked for, or more than a year ahead; one at which the task has
        expired ends it. When this raises, it counts as None, and the result says so.
        """


class Listener(Protocol):
    """Is told what happened (group ``streamer.listeners``)."""

    def told(self, events: Sequence[Event]) -> None:
        """Take what happened, in the order of the broker's acknowledgements.

        Called on a thread of the listener's own, which may wait. Up to 10,000 events wait for a listener; beyond, the oldest are
        dropped and counted, and what it raises is logged and counted: whoever must miss nothing reads the topic ``results``.
        """
