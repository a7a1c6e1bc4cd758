"""Telling: after the acknowledgement, in its order, and without any harm to whoever writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from streamer.adapters.memory.outbox import MemoryOutbox
from streamer.core.emit import Emit, FirstPass
from streamer.core.figures import LaneFigures
from streamer.extensions import Event
from streamer.flow.breaker_news import MOST_LANES, BreakerNews
from streamer.flow.telling import Teller, Telling
from streamer.ports import Abandoned
from tests.core.samples import NOW_MS
from tests.flow.desk import task
from tests.support.waiting import until

FIGURES = LaneFigures("receiver.example", 0, NOW_MS)


def open_until(until_ms: int, at_ms: int = NOW_MS) -> LaneFigures:
    return replace(FIGURES, at_ms=at_ms, breaker="open", open_until_ms=until_ms)


def passes(*task_ids: str) -> list[Emit]:
    return [FirstPass(task(task_id)) for task_id in task_ids]


class Ear:
    """Keeps what it hears; ``error`` is raised instead where there is one."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.error: Exception | None = None

    def __call__(self, events: Sequence[Event]) -> None:
        if self.error is not None:
            raise self.error
        self.heard += events


async def test_it_is_told_after_the_acknowledgement_and_in_its_order() -> None:
    """While the broker has not acknowledged, nothing is told; a write that is acknowledged first is told first."""
    outbox, ear = MemoryOutbox(), Ear()
    telling = Telling(outbox, Teller(ear).tell)
    outbox.block("publish")
    slow = asyncio.create_task(telling.publish(passes("a", "b")))
    await until(lambda: outbox.waiting)
    assert (len(outbox.published), ear.heard) == (2, [])
    other = Telling(MemoryOutbox(), Teller(ear).tell)
    await other.publish(passes("c"))
    outbox.unblock("publish")
    await slow
    assert [event.task_id for event in ear.heard] == ["c", "a", "b"]


@pytest.mark.parametrize("error", [Abandoned(), OSError("gone")])
async def test_what_was_not_acknowledged_is_not_told(error: Exception) -> None:
    """Its next owner writes it, or the next try does, and then it is told."""
    outbox, ear = MemoryOutbox(), Ear()
    telling = Telling(outbox, Teller(ear).tell)
    outbox.fail("publish", error, landed=1)
    with pytest.raises(type(error)):
        await telling.publish(passes("a"))
    assert ear.heard == []
    await telling.publish(passes("a"))
    assert [event.task_id for event in ear.heard] == ["a"]


async def test_an_error_of_telling_reaches_nobody_who_writes(caplog: pytest.LogCaptureFixture) -> None:
    """What stands would be written a second time otherwise; the log has the error, and the next events are told."""
    ear = Ear()
    telling = Telling(MemoryOutbox(), Teller(ear).tell)
    ear.error = ZeroDivisionError("a bug of ours")
    await telling.publish(passes("a"))
    ear.error = None
    await telling.publish(passes("b"))
    assert [event.task_id for event in ear.heard] == ["b"]
    assert "a bug of ours" in caplog.text


async def test_the_changelog_is_written_and_not_told() -> None:
    """It goes through as it is."""
    outbox, ear = MemoryOutbox(), Ear()
    await Telling(outbox, Teller(ear).tell).log([(0, b"key", None)])
    assert (outbox.changelog, ear.heard) == ([(0, b"key", None)], [])


async def test_breakers_are_told_among_the_rest() -> None:
    """Figures tell of a change only: the same state again is none."""
    ear = Ear()
    telling = Telling(MemoryOutbox(), Teller(ear).tell)
    await telling.publish([FIGURES, open_until(NOW_MS + 5_000), open_until(NOW_MS + 5_000, NOW_MS + 1_000)])
    await telling.publish([replace(FIGURES, at_ms=NOW_MS + 6_000, breaker="half_open"), replace(FIGURES, gone=True)])
    await telling.publish([replace(FIGURES, at_ms=NOW_MS + 7_000), replace(FIGURES, at_ms=NOW_MS + 8_000)])
    assert [(event.kind, event.domain, event.detail, event.due_at_ms) for event in ear.heard] == [
        ("breaker_changed", "receiver.example", "open", NOW_MS + 5_000),
        ("breaker_changed", "receiver.example", "half_open", None),
        ("breaker_changed", "receiver.example", "closed", None),
    ]
    assert len({event.id for event in ear.heard}) == 3


def test_the_next_owner_tells_the_same_opening_by_the_same_id() -> None:
    """It finds the breaker open until the same instant; another shard's opening, and the next one, are others."""
    first, second = BreakerNews(), BreakerNews()
    event, again = first.change(open_until(NOW_MS + 5_000)), second.change(open_until(NOW_MS + 5_000, NOW_MS + 900))
    shard = second.change(replace(open_until(NOW_MS + 5_000), shard=1))
    later = BreakerNews().change(open_until(NOW_MS + 9_000))
    assert event is not None
    assert again is not None
    assert shard is not None
    assert later is not None
    assert event.id == again.id
    assert len({event.id, shard.id, later.id}) == 3


def test_the_memory_of_breakers_is_bounded() -> None:
    """The one that has not changed for longest is forgotten, and told again; the others are not."""
    news = BreakerNews()
    opened = [replace(open_until(NOW_MS), lane=f"{number}.example") for number in range(MOST_LANES + 1)]
    assert all(news.change(figures) for figures in opened)
    assert news.change(opened[0]) is not None
    assert news.change(opened[-1]) is None
