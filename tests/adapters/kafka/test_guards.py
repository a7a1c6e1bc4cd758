"""What ends a worker that no longer gets on: which of its parts, and with which words (RULES 36, H8, H12)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from streamer.adapters.kafka.guards import Guarded, Guards
from streamer.adapters.kafka.ownership import Assignment
from streamer.adapters.kafka.stands import Stand
from streamer.adapters.kafka.topics import create_missing
from streamer.adapters.loop_stall import LoopStall
from streamer.adapters.memory.meter import MemoryMeter
from streamer.core.window import Window
from streamer.wire.topics import Topics
from tests.adapters.kafka.rig import member
from tests.support.broker import SHORT_TIERS, RunningKafka, delete_topics
from tests.support.waiting import until

SOON_S = 1.0
TP = TopicPartition("requests", 0)


class Worker:
    """A worker as its guards see it, as a test sets it."""

    def __init__(self, patience_s: float = 0.0, recovery_s: float = 0.0) -> None:
        self.ready, self.applied, self.assignment = asyncio.Event(), 0, Assignment()
        self.intake = self.held = self.policies = Stand()
        self.ended = threading.Event()
        self.stall = LoopStall(MemoryMeter())
        stages: dict[str, Any] = {
            "ownership": self,
            "config": SimpleNamespace(stand=lambda: self.policies),
            "intake": SimpleNamespace(stand=lambda: self.intake),
            "tier_log": SimpleNamespace(stand=lambda _: self.held),
            "hold": None,
        }
        self.guards = Guards(
            Guarded(
                **stages,
                ends=self,
                stall=self.stall,
                broker_answers=lambda: True,
                patience_s=patience_s,
                recovery_s=recovery_s,
                end=self.ended.set,
            )
        )

    async def of(self, tps: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Say that each log ends at 9."""
        return dict.fromkeys(tps, 9)

    async def close(self) -> None:
        """Do nothing."""

    async def is_ended(self, said: pytest.LogCaptureFixture, words: str) -> None:
        """Return once a guard has ended it with these words."""
        looking = asyncio.create_task(self.guards.run())
        self.guards.start()
        try:
            await until(lambda: self.ended.is_set() and words in said.text, 20)
        finally:
            looking.cancel()
            await asyncio.wait([looking])
            await asyncio.to_thread(self.guards.stop)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the guards say."""
    caplog.set_level(logging.CRITICAL)
    return caplog


@pytest.mark.parametrize("stage", ["intake", "hold", "policies", "deliver"])
async def test_a_stage_that_owes_and_does_nothing_ends_its_worker(stage: str, said: pytest.LogCaptureFixture) -> None:
    """By what waits unread as much as by what is in hand; the line names the stage, the figure and the setting."""
    worker = Worker(patience_s=SOON_S)
    if stage == "deliver":
        worker.assignment.windows[cast("Any", TP)] = Window(4, 10, 1_000)
    else:
        stand = Stand(4, 0, {TP: 4})
        setattr(worker, {"hold": "held"}.get(stage, stage), stand)
    await worker.is_ended(said, f"{stage}: 5 records are owed and none was finished for 1 s (worker.watchdog)")


async def test_a_loop_that_makes_no_turn_ends_its_worker(said: pytest.LogCaptureFixture) -> None:
    """Its stages owe nothing that anybody could see, and its heartbeats may go on in another thread."""
    worker = Worker(patience_s=SOON_S)
    worker.guards.start()
    ended = worker.ended.wait(10)
    worker.guards.stop()
    assert ended
    assert "the event loop has made no turn for 1 s (worker.watchdog)" in said.text


async def test_a_recovery_that_gets_no_further_ends_its_worker(said: pytest.LogCaptureFixture) -> None:
    """The next process begins with empty tables; the line names the setting."""
    words = "the recovery of the tables has got no further for 1 s (worker.recovery_deadline)"
    await Worker(recovery_s=SOON_S).is_ended(said, words)


async def test_a_recovery_that_gets_on_and_a_worker_that_is_ready_are_left_alone() -> None:
    """However long it takes in all."""
    worker = Worker(recovery_s=SOON_S)
    dog = worker.guards._dogs[-1]
    for worker.applied in range(5):
        assert not dog.look()
    worker.ready.set()
    assert not dog.look()
    assert not worker.ended.is_set()


async def test_a_worker_without_limits_is_never_ended() -> None:
    """A span of 0s is no watch: no thread is started."""
    worker = Worker()
    before = threading.active_count()
    worker.guards.start()
    assert threading.active_count() == before
    worker.guards.stop()


@pytest.mark.broker
async def test_a_member_beyond_the_partitions_is_ready_too(
    kafka: RunningKafka, topic_prefix: str, tmp_path: Path
) -> None:
    """It owns nothing, waits to take over, and does not look like one that cannot recover."""
    topics = Topics(topic_prefix, 1, SHORT_TIERS)
    names = await create_missing(kafka.bootstrap, topics.specs())
    async with (
        member(kafka.bootstrap, topics, tmp_path / "a") as one,
        member(kafka.bootstrap, topics, tmp_path / "b") as two,
    ):
        for each in (one, two):
            await asyncio.wait_for(each.ownership.ready.wait(), 30)
        await until(lambda: len(one.ownership.assignment.owned) + len(two.ownership.assignment.owned) == 1, 30)
    await delete_topics(kafka.bootstrap, names)
