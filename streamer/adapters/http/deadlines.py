"""The hard deadline around every call, with one timer for all of them."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

#: How often overdue calls are looked for; a call may outlast its deadline by this much.
_TICK_S = 0.25


class Deadlines:
    """Cancels calls that outlast their deadline (RULES 6).

    ``asyncio.timeout`` does the same with a timer per call, which makes a call a quarter dearer.
    """

    def __init__(self) -> None:
        """Prepare without a timer; it runs only while there are calls, all of them in one event loop."""
        self._calls: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def ticking(self) -> bool:
        """Tell whether the timer runs."""
        return self._timer is not None

    def within(self, seconds: float) -> Deadline:
        """Return a context whose body is cancelled after ``seconds``, which then raises TimeoutError."""
        # Kept: asyncio asks the system for the process's id each time that it is asked which loop runs.
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        if self._timer is None:
            self._timer = loop.call_later(_TICK_S, self._tick)
        return Deadline(self._calls, task, loop.time() + seconds)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        for call in [call for call in self._calls if call.at_s <= now_s]:
            call.expire()
        self._timer = loop.call_later(_TICK_S, self._tick) if self._calls else None


class Deadline:
    """One call under watch; it tells its own cancellation from others' as ``asyncio.timeout`` does."""

    __slots__ = ("_calls", "_cancelling", "_expired", "_task", "at_s")

    def __init__(self, calls: set[Deadline], task: asyncio.Task[Any], at_s: float) -> None:
        """Begin now, for the task whose call it is; ``calls`` are those that are looked at, ``at_s`` by the loop's clock."""
        self._calls = calls
        self._task = task
        self._cancelling = task.cancelling()
        self._expired = False
        self.at_s = at_s

    def expire(self) -> None:
        """Cancel the call, once."""
        if not self._expired:
            self._expired = True
            self._task.cancel()

    def __enter__(self) -> Deadline:
        self._calls.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.discard(self)
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
