"""Limits in memory: bounded, a share where one is set, and a word of warning where several workers have no Redis."""

from __future__ import annotations

import pytest

from streamer.adapters.memory.shared_limits import MemorySharedLimits
from streamer.core.policy import SharedLimit
from streamer.core.rate import parse_rate

NOW_MS = 1_700_000_000_000
HORIZON_MS = 600_000


def a_limit(key: str = "business:a", rate: str = "10/s", burst: int = 1) -> SharedLimit:
    """Return a limit."""
    return SharedLimit(key, parse_rate(rate), burst)


async def test_slots_are_whole_ms_and_never_early() -> None:
    """A third of a second is rounded up."""
    limits = MemorySharedLimits()
    slots = [await limits.reserve([a_limit(rate="3/s")], NOW_MS, HORIZON_MS) for _ in range(4)]
    assert [slot - NOW_MS for slot in slots if slot is not None] == [0, 334, 667, 1001]


async def test_a_share_of_rate_and_burst() -> None:
    """A fallback of a quarter: four times the spacing, a quarter of the burst."""
    limits = MemorySharedLimits(share=0.25)
    slots = [await limits.reserve([a_limit(burst=8)], NOW_MS, HORIZON_MS) for _ in range(4)]
    assert [slot - NOW_MS for slot in slots if slot is not None] == [0, 0, 400, 800]


async def test_keys_whose_time_is_past_are_forgotten() -> None:
    """A million keys, used once each, do not stay; those with slots taken do."""
    limits = MemorySharedLimits()
    slow = a_limit("business:slow", "1/5m")
    await limits.reserve([slow], NOW_MS, HORIZON_MS)
    most = 0
    for number in range(20_000):
        await limits.reserve([a_limit(f"rate_key:{number}")], NOW_MS + number, HORIZON_MS)
        most = max(most, len(limits))
    assert most < 4_000
    assert await limits.reserve([slow], NOW_MS + 20_000, HORIZON_MS) == NOW_MS + 300_000


async def test_a_clock_that_is_set_back_holds_nothing_up() -> None:
    """The reservations go back with it."""
    limits = MemorySharedLimits()
    for _ in range(3):
        await limits.reserve([a_limit()], NOW_MS, HORIZON_MS)
    back_ms = NOW_MS - 3_600_000
    assert await limits.reserve([a_limit()], back_ms, HORIZON_MS) == back_ms + 300


async def test_the_notice_is_logged_at_the_first_reservation_only(caplog: pytest.LogCaptureFixture) -> None:
    """Who sets no limit across domains has nothing to be told."""
    limits = MemorySharedLimits(notice="set redis.url")
    await limits.start()
    await limits.reserve([], NOW_MS, HORIZON_MS)
    assert caplog.messages == []
    for _ in range(3):
        await limits.reserve([a_limit()], NOW_MS, HORIZON_MS)
    assert caplog.messages == ["set redis.url"]
