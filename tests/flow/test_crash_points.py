"""A crash at every point of a delivery's life leads to the same end as no crash, with at most one call more (RULES 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from streamer.adapters.memory.outbox import ALL, Kind
from streamer.adapters.memory.sender import Reply
from streamer.core.command import Command, Verb
from streamer.core.delivery import Delivery
from streamer.core.lifecycle import State
from streamer.core.outcome import Response
from streamer.ports import Abandoned
from tests.core.samples import NOW_MS
from tests.flow.desk import MINUTE_MS, Desk, task

CALL_MS = 1_000


@dataclass(frozen=True)
class Story:
    """A task, the answers to its attempts by number, and the end it must come to."""

    delivery: Delivery
    end: State
    statuses: tuple[int, ...] = (200,)
    cancel: bool = False


STORIES = {
    "success": Story(task(), State.SUCCEEDED),
    "retry": Story(task(retry_ms=(MINUTE_MS, MINUTE_MS)), State.SUCCEEDED, (500, 503, 200)),
    "retry_at_once": Story(task(retry_ms=(0,)), State.SUCCEEDED, (500, 200)),
    "exhausted": Story(task(retry_ms=(MINUTE_MS,)), State.FAILED, (500,)),
    "fatal": Story(task(), State.FAILED, (410,)),
    "expired": Story(task(expires_at_ms=NOW_MS), State.EXPIRED),
    "scheduled": Story(task(due_at_ms=NOW_MS + 90 * MINUTE_MS), State.SUCCEEDED),
    "cancelled": Story(task(due_at_ms=NOW_MS + 90 * MINUTE_MS), State.CANCELLED, cancel=True),
}


@dataclass(frozen=True)
class CrashPoint:
    """Where the process dies: at a write of a kind after so many good ones, or at a moment; ``None``, ``None`` is never."""

    kind: Kind | None = None
    landed: int = 0
    after: int = 0
    at_ms: int | None = None
    committed: bool = False
    name: str = field(default="", compare=False)


POINTS = (
    CrashPoint(at_ms=CALL_MS // 2, name="during the call"),
    CrashPoint("publish", 0, name="nothing published"),
    CrashPoint("publish", 1, name="the result published, not what follows"),
    CrashPoint("publish", ALL, name="published, not acknowledged"),
    CrashPoint("log", 0, name="published, state not written"),
    CrashPoint("log", ALL, name="state written, not acknowledged"),
    CrashPoint(at_ms=CALL_MS + 1, name="settled, not committed"),
    CrashPoint(at_ms=CALL_MS + 1, committed=True, name="committed"),
    CrashPoint("publish", 0, 1, name="second write not published"),
    CrashPoint("publish", ALL, 1, name="second write published, not acknowledged"),
    CrashPoint("log", 0, 1, name="second state not written"),
    CrashPoint("log", ALL, 1, name="second state written, not acknowledged"),
)


@pytest.fixture
async def new_desk() -> AsyncIterator[Callable[[Story], Desk]]:
    desks: list[Desk] = []

    def make(story: Story) -> Desk:
        desk = Desk()
        statuses = story.statuses

        def respond(delivery: Delivery) -> Reply:
            return Reply(Response(statuses[min(delivery.attempt, len(statuses)) - 1]), delay_ms=CALL_MS)

        desk.respond = respond
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        await desk.stop()


async def play(desk: Desk, story: Story, point: CrashPoint) -> None:
    """Give the task, die at the point, then let everything come to its end."""
    if point.kind is not None:
        desk.outbox.fail(point.kind, Abandoned(), landed=point.landed, after=point.after)
    await desk.give(story.delivery)
    if story.cancel:
        command = Command("cmd_1", Verb.CANCEL, "tsk_1", "receiver.example", None, None, "ops", NOW_MS)
        await desk.give(command, source="control")
    await desk.clock.advance(CALL_MS + 1 if point.at_ms is None else point.at_ms)
    if point.committed:
        desk.commit()
    await desk.crash()
    for _ in range(6):
        await desk.clock.advance(CALL_MS + 1)
        if desk.unfinished:  # the write that fails was a later one
            await desk.crash()
        else:
            await desk.come_back()


@pytest.mark.parametrize("point", POINTS, ids=[point.name.replace(" ", "_") for point in POINTS])
@pytest.mark.parametrize("name", STORIES)
async def test_crash_leads_to_the_same_end(new_desk: Callable[[Story], Desk], name: str, point: CrashPoint) -> None:
    """RULES 2: whatever the process had written when it died, the task comes to its end, each attempt sent at most twice."""
    story = STORIES[name]
    desk = new_desk(story)
    await play(desk, story, point)
    assert desk.entry().state is story.end
    assert desk.unfinished == 0
    assert {result.state for result in desk.results if result.final} == {story.end}
    assert max(Counter(desk.sent).values(), default=0) <= 2
    attempts = {attempt for _, attempt in desk.sent}
    expected = (
        0 if story.end in (State.EXPIRED, State.CANCELLED) else len(story.delivery.request.retry.intervals_ms or ())
    )
    assert attempts <= set(range(1, expected + 2))
    assert bool(desk.dead_letters) is (story.end in (State.FAILED, State.EXPIRED))
    calls = len(desk.sent)
    desk.commit()
    await desk.crash()
    assert (len(desk.sent), desk.unfinished) == (calls, 0)
