"""A worker reads its policies before it does anything else (RULES 40), and ends where it cannot."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from typing import Any, cast

from streamer.adapters.kafka.config_log import ConfigLog
from streamer.adapters.kafka.config_state import ConfigState
from streamer.adapters.kafka.worker import Parts, Worker
from streamer.adapters.memory.meter import MemoryMeter
from streamer.core.policy import BreakerPolicy, Policy
from streamer.wire.config_record import Installation
from streamer.wire.limits import DEFAULT_LIMITS

NOBODY = {"bootstrap_servers": "127.0.0.1:1"}


class Closed:
    """Stands where a worker closes or stops what it never used."""

    def stop(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


def a_worker(deadline_s: float) -> Worker:
    """Return a worker that has its policies and nothing else: whatever it touches beyond them is an error."""
    state = ConfigState(Policy(), Installation(DEFAULT_LIMITS, BreakerPolicy()), 4, MemoryMeter())
    parts: dict[str, Any] = {field.name: None for field in fields(Parts)}
    parts |= {"config": ConfigLog(NOBODY, "t.config", state), "config_deadline_s": deadline_s, "producers": ()}
    parts |= dict.fromkeys(("sender", "shared", "marker", "guards", "late_writes"), cast("Any", Closed()))
    return Worker(Parts(**parts))


async def test_a_worker_that_cannot_read_its_policies_ends_and_says_why() -> None:
    """Nothing is started without them; the reason names the topic, the time and its setting, and the trouble."""
    told: list[str] = []
    reason = await a_worker(0.5).run(asyncio.Event(), lambda: told.append("ready"))
    assert reason is not None
    assert reason.startswith("t.config could not be read to its end within 0.5 s (kafka.produce_timeout_s): Kafka")
    assert told == []
