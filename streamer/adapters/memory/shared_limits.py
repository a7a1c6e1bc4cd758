"""Rates across domains, kept in this process: where there is one worker, and where Redis is away."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from streamer.core.policy import SharedLimit
from streamer.core.reservation import STEP_US, KeyClock, pace_of, slot_us, taken

log = logging.getLogger(__name__)

#: With fewer keys than this nothing is swept.
_FEW_KEYS = 1_024
_NEVER = KeyClock()


class MemorySharedLimits:
    """Implements SharedLimits. A key is kept while its arrival time lies ahead, so at most as many as have slots taken.

    ``share`` is the part of each rate that this process may use. ``notice`` is logged at the first reservation.
    """

    def __init__(self, share: float = 1.0, notice: str = "") -> None:
        self._share = share
        self._notice = notice
        self._clocks: dict[str, KeyClock] = {}
        self._sweep_at = _FEW_KEYS

    def __len__(self) -> int:
        """Count the keys that are kept."""
        return len(self._clocks)

    async def start(self) -> None:
        """Do nothing: there is nothing to reach."""

    async def reserve(self, limits: Sequence[SharedLimit], now_ms: int, horizon_ms: int) -> int | None:
        """Take the next slot that all the limits have in common; None when it lies beyond the horizon."""
        if self._notice and limits:
            log.warning(self._notice)
            self._notice = ""
        now_us = now_ms * 1000
        paces = [pace_of(limit, self._share) for limit in limits]
        tats_us = [self._clocks.get(limit.key, _NEVER).tat_at(now_us) for limit in limits]
        slot = slot_us(paces, tats_us, now_us)
        if slot > now_us + horizon_ms * 1000:
            return None
        for limit, pace, tat_us in zip(limits, paces, tats_us, strict=True):
            self._clocks[limit.key] = taken(pace, tat_us, slot, now_us)
        if len(self._clocks) >= self._sweep_at:
            self._sweep(now_us)
        return -(-slot // 1000)

    async def close(self) -> None:
        """Forget everything."""
        self._clocks.clear()

    def _sweep(self, now_us: int) -> None:
        # A clock may go back by STEP_US without being corrected: until then what is past may still count.
        past_us = now_us - STEP_US
        self._clocks = {key: clock for key, clock in self._clocks.items() if clock.tat_at(now_us) > past_us}
        # Each sweep is paid for by as many new keys as it leaves.
        self._sweep_at = max(_FEW_KEYS, 2 * len(self._clocks))
