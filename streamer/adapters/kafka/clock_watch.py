"""Compares this machine's clock with the broker's: due times are instants, and two clocks that differ make them two (R7)."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from streamer.adapters.prometheus.meter import PrometheusMeter

log = logging.getLogger(__name__)

LOOK_S = 10.0
#: A worker whose clock is further off at its start than this does not start.
REFUSED_MS = 60_000
#: While the clock is off, every so manieth look is logged.
_TOLD_EACH = 6


class Skew(Protocol):
    """Who knows how far our clock is off."""

    topic: str

    async def skew_ms(self) -> int | None:
        """Return by how much ours is ahead; None where that cannot be known. Raises TimeoutError when nobody answers."""

    async def close(self) -> None:
        """Close the connections."""


class ClockWatch:
    """Looks at the start and every 10 s; ``agrees`` is set while the clocks are no further apart than allowed.

    Where it cannot be known they count as agreeing: a right that is missing must stop nobody. ``allowed_ms`` of 0 never looks.
    """

    def __init__(self, skew: Skew, meter: PrometheusMeter, allowed_ms: int, look_s: float = LOOK_S) -> None:
        self.agrees = asyncio.Event()
        self._skew = skew
        self._meter = meter
        self._allowed_ms = allowed_ms
        self._look_s = look_s
        self._off = 0
        self._unknown = False
        if not allowed_ms:
            self.agrees.set()

    async def refusal(self) -> str | None:
        """Look once before anything is sent; return why the worker must not start, None when it may."""
        ahead_ms = await self._look() if self._allowed_ms else None
        if ahead_ms is None or abs(ahead_ms) <= REFUSED_MS:
            return None
        return (
            f"{_said(ahead_ms)}, more than {REFUSED_MS // 1000} s: due tasks would be sent that much too "
            f"{'early' if ahead_ms > 0 else 'late'}. Set the clocks, or worker.clock_skew to 0s to start all the same"
        )

    async def run(self) -> None:
        """Look now and then until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._look_s)
                if self._allowed_ms:
                    await self._look()
        finally:
            await self._skew.close()

    async def _look(self) -> int | None:
        try:
            ahead_ms = await self._skew.skew_ms()
        except TimeoutError as error:
            # While the broker is away nothing is learned of its clock: what was found last holds.
            log.warning("the broker's clock is not known: %s", error)
            if not self._off:
                self.agrees.set()
            return None
        if ahead_ms is None:
            self._tell_unknown()
            return None
        self._meter.gauge("clock_skew_seconds", ahead_ms / 1000)
        self._judge(ahead_ms)
        return ahead_ms

    def _judge(self, ahead_ms: int) -> None:
        if abs(ahead_ms) <= self._allowed_ms:
            if self._off:
                log.info("%s again no further off than worker.clock_skew allows", _said(ahead_ms))
            self._off = 0
            self.agrees.set()
            return
        self.agrees.clear()
        if self._off % _TOLD_EACH == 0:
            log.error(
                "%s, more than worker.clock_skew (%g s): due tasks are sent that much too %s. Set the clocks",
                *(_said(ahead_ms), self._allowed_ms / 1000, "early" if ahead_ms > 0 else "late"),
            )
        self._off += 1

    def _tell_unknown(self) -> None:
        self.agrees.set()
        if not self._unknown:
            self._unknown = True
            log.warning(
                "topic %s keeps producers' times, so that clocks cannot be compared: set its message.timestamp.type to "
                "LogAppendTime by kafka-configs.sh",
                self._skew.topic,
            )


def _said(ahead_ms: int) -> str:
    return (
        f"this machine's clock is {abs(ahead_ms) / 1000:.1f} s {'ahead of' if ahead_ms > 0 else 'behind'} the broker's"
    )
