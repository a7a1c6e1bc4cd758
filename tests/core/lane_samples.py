"""Lanes, limits and those who wait, with sensible values, for tests that care about a few of them."""

from __future__ import annotations

from typing import Any

from streamer.core.health import Health
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.policy import LaneLimits
from streamer.core.put_off import Tuning
from streamer.core.rate import parse_rate
from streamer.core.waiting import Waiting
from tests.core.samples import NOW_MS

TUNING = Tuning()


def limits(rate: str | None = None, burst: int = 1, **more: Any) -> LaneLimits:
    """Return limits with a rate as people write it."""
    return LaneLimits(parse_rate(rate) if rate else None, burst, **more)


def a_lane(
    rate: str | None = None,
    burst: int = 1,
    *,
    book: LaneBook | None = None,
    tuning: Tuning = TUNING,
    now_ms: float = NOW_MS,
    **more: Any,
) -> Lane[int]:
    """Return a lane of receiver.example."""
    book = LaneBook() if book is None else book
    return Lane("receiver.example", limits(rate, burst, **more), book, tuning, lambda _: 1, now_ms)


def waiting(item: int = 0, business: str = "acme", priority: int = 5, **more: Any) -> Waiting[int]:
    """Return one who waits, without a promise."""
    values = {"promise_ms": None, "retry": False, "size_bytes": 1_000, "arrived_ms": NOW_MS} | more
    return Waiting(item, business, priority, **values)


def call(lane: Lane[int], health: Health, now_ms: float, took_ms: float = 0, pause_ms: int | None = None) -> float:
    """Let one call begin as soon as it may and end ``took_ms`` later; return when it ended."""
    begun_ms = lane.ready_ms(now_ms)[0]
    permit = lane.begin(begun_ms)
    lane.end(permit, health, begun_ms, begun_ms + took_ms, pause_ms)
    return begun_ms + took_ms


def opened(lane: Lane[int], now_ms: float = NOW_MS) -> Lane[int]:
    """Let five calls fail one after the other, which opens the breaker as it is by default."""
    for _ in range(5):
        call(lane, Health.FAILED, now_ms)
    return lane


def closed_again(lane: Lane[int]) -> float:
    """Let the probes of an open breaker succeed; return when."""
    at_ms = lane.breaker.open_until_ms
    for _ in range(lane.limits.breaker.successes_to_close):
        call(lane, Health.OK, at_ms)
    return at_ms
