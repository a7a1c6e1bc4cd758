"""When a process ends by itself: by its memory, by its age, and not all at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest

from streamer.adapters.retirement import EARLY_SHARE, Retirement, resident_bytes

MIB = 1024 * 1024
HOUR_MS = 3_600_000


class Process:
    """What a process sees of itself, as a test sets it."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.used: int | None = 100 * MIB

    def retirement(self, memory_bytes: int | None = None, age_ms: int | None = None, chance: float = 0.0) -> Retirement:
        """Return one that begins now."""
        return Retirement(
            max_memory_bytes=memory_bytes,
            max_age_ms=age_ms,
            chance=chance,
            used_bytes=lambda: self.used,
            monotonic=lambda: self.now_s,
        )


def test_memory_past_its_limit_ends_it() -> None:
    """The line says how much it holds, and which setting it is past; at the limit it goes on."""
    process = Process()
    found = process.retirement(memory_bytes=512 * MIB)
    process.used = 512 * MIB
    assert not found.look()
    process.used = 513 * MIB
    assert found.look()
    assert found.reason == "it holds 513 MiB, more than worker.max_memory (512MiB)"


def test_age_ends_it_by_the_monotonic_clock() -> None:
    """Without chance it lives as long as the setting says."""
    process = Process()
    found = process.retirement(age_ms=12 * HOUR_MS)
    process.now_s += 12 * 3_600 - 1
    assert not found.look()
    process.now_s += 1
    assert found.look()
    assert found.reason == "it has reached worker.max_age (12h, less up to a tenth by chance)"


def test_chance_ends_it_early_and_never_late() -> None:
    """Workers that began together end apart, none older than its limit."""
    process = Process()
    lucky, unlucky = (process.retirement(age_ms=HOUR_MS, chance=chance) for chance in (0.0, 0.999))
    process.now_s += 3_600 * (1 - EARLY_SHARE) + 5
    assert (lucky.look(), unlucky.look()) == (False, True)
    process.now_s += 3_600 * EARLY_SHARE
    assert lucky.look()


def test_why_it_ends_stays_what_it_was() -> None:
    """Memory that is given back while it drains changes nothing."""
    process = Process()
    found = process.retirement(memory_bytes=50 * MIB)
    assert found.look()
    first, process.used = found.reason, MIB
    assert found.look()
    assert found.reason == first


def test_memory_that_cannot_be_read_ends_nobody() -> None:
    """Nothing is guessed."""
    process = Process()
    process.used = None
    assert not process.retirement(memory_bytes=MIB).look()


async def test_the_watch_asks_for_a_stop() -> None:
    """It does what a SIGTERM does, and ends."""
    stop = asyncio.Event()
    async with asyncio.timeout(30):
        await Process().retirement(memory_bytes=MIB).watch(stop)
    assert stop.is_set()


async def test_without_limits_nobody_is_stopped() -> None:
    """The watch is over at once, and has asked for nothing."""
    stop = asyncio.Event()
    async with asyncio.timeout(30):
        await Process().retirement().watch(stop)
    assert not stop.is_set()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="this system has no /proc/self/statm")
def test_the_memory_of_this_process_is_seen_to_grow() -> None:
    """What is touched counts; the figure is of bytes, not of pages."""

    def measured(read: Callable[[], int | None]) -> int:
        found = read()
        assert found is not None
        return found

    before = measured(resident_bytes)
    ballast = bytearray(os.urandom(64 * MIB))
    grown = measured(resident_bytes) - before
    assert 48 * MIB < grown < 96 * MIB
    assert len(ballast) == 64 * MIB
