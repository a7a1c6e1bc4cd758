"""When a process is to end by itself, in good order, so that a fresh one takes its place: by its memory or its age."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from streamer.core.byte_size import format_byte_size
from streamer.core.duration import format_duration

log = logging.getLogger(__name__)

#: How often a process looks at itself.
LOOK_S = 5.0
#: Up to this share of its age a process ends early, by chance: those that began together must not all end together.
EARLY_SHARE = 0.1
_STATM = Path("/proc/self/statm")
_MIB = 1024 * 1024


def resident_bytes() -> int | None:
    """Return how much of the machine's memory this process holds; None where the system has no /proc/self/statm."""
    try:
        pages = int(_STATM.read_text("ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


class Retirement:
    """Looks now and then at this process's memory and age; ``reason`` says which of them was past its limit."""

    def __init__(
        self,
        *,
        max_memory_bytes: int | None,
        max_age_ms: int | None,
        chance: float,
        used_bytes: Callable[[], int | None] = resident_bytes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin to count the age now; ``chance``, from [0, 1), says how early it ends. None is no limit."""
        self.reason: str | None = None
        self._max_memory_bytes = max_memory_bytes
        self._max_age_ms = max_age_ms
        self._used_bytes = used_bytes
        self._monotonic = monotonic
        early = 1 - EARLY_SHARE * chance
        self._ends_at = float("inf") if max_age_ms is None else monotonic() + max_age_ms / 1000 * early

    def look(self) -> bool:
        """Look once; True when it is time to end."""
        if self.reason is None:
            self.reason = self._too_large() or self._too_old()
        return self.reason is not None

    async def watch(self, stop: asyncio.Event) -> None:
        """Look until it is time, and set ``stop``; never, where there is no limit."""
        if self._max_memory_bytes is None and self._max_age_ms is None:
            return
        while not self.look():  # noqa: ASYNC110 - neither the memory nor the clock gives a signal
            await asyncio.sleep(min(LOOK_S, max(0.0, self._ends_at - self._monotonic())))
        log.info("%s: no more work is taken, and what is in hand is finished", self.reason)
        stop.set()

    def _too_large(self) -> str | None:
        if self._max_memory_bytes is None:
            return None
        used = self._used_bytes()
        if used is None or used <= self._max_memory_bytes:
            return None
        return f"it holds {used // _MIB} MiB, more than worker.max_memory ({format_byte_size(self._max_memory_bytes)})"

    def _too_old(self) -> str | None:
        if self._max_age_ms is None or self._monotonic() < self._ends_at:
            return None
        return f"it has reached worker.max_age ({format_duration(self._max_age_ms)}, less up to a tenth by chance)"
