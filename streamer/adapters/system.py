"""The machine's clock and chance."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
import weakref
from collections.abc import Callable

#: More than the kernel's line of three numbers.
_LINE_BYTES = 256


class SystemClock:
    """The machine's wall and monotonic clock."""

    def now_ms(self) -> int:
        """Return the wall clock in epoch ms."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> float:
        """Return a clock in ms that never steps."""
        return time.monotonic_ns() / 1_000_000

    async def sleep_ms(self, delay_ms: float) -> None:
        """Wait ``delay_ms`` of monotonic time."""
        await asyncio.sleep(delay_ms / 1000)


class SystemEntropy:
    """Chance good enough for jitter."""

    def unit(self) -> float:
        """Return a number from [0, 1)."""
        return random.random()


class ThreadLoad:
    """How much of the time a thread runs, or could run and waits for a CPU: at 1.0 it cannot do more."""

    def __init__(self) -> None:
        """Begin now, for the calling thread."""
        self._busy_ns, file = _reader()
        if file is not None:
            weakref.finalize(self, os.close, file)
        self._was_ns, self._at_ns = self._busy_ns(), time.monotonic_ns()

    def share(self) -> float:
        """Return the share since this was last asked."""
        busy_ns, at_ns = self._busy_ns(), time.monotonic_ns()
        share = (busy_ns - self._was_ns) / max(1, at_ns - self._at_ns)
        self._was_ns, self._at_ns = busy_ns, at_ns
        return share


def _reader() -> tuple[Callable[[], int], int | None]:
    """Return what tells the thread's CPU time and its waits for a CPU together, in ns; its CPU time alone where that must do.

    The second is the descriptor to close. It stays open: to open a file each time fails when the process has too many.
    """
    try:
        file = os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY)
    except OSError:
        return time.thread_time_ns, None
    return lambda: sum(int(field) for field in os.pread(file, _LINE_BYTES, 0).split()[:2]), file
