"""What ends a worker that no longer gets on: a watchdog for each stage, and for the recovery of its tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka import TopicPartition

from streamer.adapters.kafka.config_log import ConfigLog
from streamer.adapters.kafka.intake import KafkaIntake
from streamer.adapters.kafka.ownership import Ownership
from streamer.adapters.kafka.stands import Ends, Stand, Stands
from streamer.adapters.kafka.tier_log import KafkaTierLog
from streamer.adapters.kafka.watchdog import Progress, Watchdog, progress_of
from streamer.adapters.loop_stall import LoopStall
from streamer.flow.hold import Hold

_RECOVERY = (
    "the recovery of the tables has got no further for {for_s:.0f} s (worker.recovery_deadline): this process ends, and the one "
    "that is started next reads them anew"
)
_STALL = "the event loop has made no turn for {for_s:.0f} s (worker.watchdog)"
_OWED = "{stage}: {{owed}} records are owed and none was finished for {{for_s:.0f}} s (worker.watchdog)"


@dataclass(frozen=True, slots=True)
class Guarded:
    """What is looked at; ``patience_s`` is for stages that owe something, ``recovery_s`` for tables, 0 for never.

    ``end`` ends the process; without it it is ended at once, with the stacks of its threads.
    """

    ownership: Ownership
    config: ConfigLog
    intake: KafkaIntake
    tier_log: KafkaTierLog
    hold: Hold
    ends: Ends
    stall: LoopStall
    broker_answers: Callable[[], bool]
    patience_s: float
    recovery_s: float
    end: Callable[[], None] | None = None


class Guards:
    """Watches a worker's stages; each has a thread, since a loop that is stuck cannot watch itself."""

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        stages = {
            "deliver": self._deliver,
            "intake": guarded.intake.stand,
            "hold": self._hold,
            "policies": guarded.config.stand,
        }
        self._stands = Stands(stages, guarded.ends)
        self._dogs = [
            self._stage("deliver", self._delivered),
            self._stage("intake", lambda: self._stands.progress("intake")),
            self._stage("hold", lambda: self._stands.progress("hold")),
            self._stage("policies", lambda: self._stands.progress("policies")),
            Watchdog(
                # A turn is owed at any time: a loop that stands still keeps its partitions by the heartbeats of another thread.
                lambda: Progress(guarded.stall.beats, 1),
                guarded.broker_answers,
                patience_s=guarded.patience_s,
                says=_STALL,
                end=guarded.end,
            ),
            Watchdog(
                self._recovered, guarded.broker_answers, patience_s=guarded.recovery_s, says=_RECOVERY, end=guarded.end
            ),
        ]

    def start(self) -> None:
        """Begin to watch; what the stages owe is found out by ``run``."""
        for dog in self._dogs:
            dog.start()

    def stop(self) -> None:
        """Watch no more."""
        for dog in self._dogs:
            dog.stop()

    async def run(self) -> None:
        """Look where the stages stand, and whether the loop goes round, until cancelled."""
        await asyncio.gather(self._stands.run(), self._guarded.stall.run())

    def _stage(self, stage: str, progress: Callable[[], Progress]) -> Watchdog:
        guarded = self._guarded
        says = _OWED.format(stage=stage)
        return Watchdog(progress, guarded.broker_answers, patience_s=guarded.patience_s, says=says, end=guarded.end)

    def _deliver(self) -> Stand:
        windows = self._guarded.ownership.assignment.windows
        return Stand(next_offsets={TopicPartition(*tp): window.next_offset for tp, window in windows.items()})

    def _delivered(self) -> Progress:
        # Its windows at this moment, not at the last look: where the loop is stuck there is no later one.
        return progress_of(self._guarded.ownership.assignment.windows.values(), self._stands.unread("deliver"))

    def _recovered(self) -> Progress:
        # From the first join on, or after a revoke, until the assignment is open.
        ownership = self._guarded.ownership
        return Progress(ownership.applied, not ownership.ready.is_set())

    def _hold(self) -> Stand:
        return self._guarded.tier_log.stand(self._guarded.hold)
