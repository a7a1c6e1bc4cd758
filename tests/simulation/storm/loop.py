"""An event loop in virtual time: what can run now runs first, then time jumps to the next instant at which anything happens."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from math import inf
from typing import Any, cast

from tests.core.samples import NOW_MS


class VirtualLoop:
    """Runs callbacks in the order in which they were asked for: the few of an event loop's methods that futures and tasks ask.

    Exact where a real loop must guess: an instant is over when nothing is left that can run in it. ``steps`` counts what
    ran, and ``errors`` keeps what no task's owner has asked for.
    """

    def __init__(self) -> None:
        self.now_ms = 0.0
        self.steps = 0
        self.errors: list[str] = []
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.Handle]] = []
        self._set = 0
        #: Itself, as asyncio's types want it.
        self.as_loop = cast("asyncio.AbstractEventLoop", self)

    # What asyncio and the product ask of a loop

    def time(self) -> float:
        """Return the time in seconds, as asyncio counts it."""
        return self.now_ms / 1000

    def get_debug(self) -> bool:
        """Tell that nothing is watched."""
        return False

    def is_running(self) -> bool:
        """Tell that there is no other loop to go to."""
        return True

    def is_closed(self) -> bool:
        """Tell that it never closes."""
        return False

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self.as_loop)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """Begin a task; its first step is the next thing to run."""
        return asyncio.Task(coro, loop=self.as_loop, name=name)

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Let something run in this instant, after all that waits for it already."""
        handle = asyncio.Handle(callback, args, self.as_loop, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Let something run in so many seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Let something run at an instant, in seconds."""
        handle = asyncio.TimerHandle(when, callback, args, self.as_loop, context)
        self._push(when * 1000, handle)
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what went wrong where nobody looked."""
        self.errors.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is passed over when its instant comes."""

    # For whoever plays

    def after_ms(self, delay_ms: float, callback: Callable[..., Any], *args: Any) -> None:
        """Let something run in so many ms."""
        self._push(self.now_ms + delay_ms, asyncio.Handle(callback, args, self.as_loop, None))

    def _push(self, at_ms: float, handle: asyncio.Handle) -> None:
        self._set += 1
        heapq.heappush(self._timers, (max(at_ms, self.now_ms), self._set, handle))

    def settle(self) -> None:
        """Let everything run that can run without time passing."""
        ready, ran = self._ready, 0
        while ready:
            handle = ready.popleft()
            if not handle._cancelled:
                ran += 1
                handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]
        self.steps += ran

    def next_ms(self) -> float:
        """Return when something happens next; inf for never."""
        return self._timers[0][0] if self._timers else inf

    def jump(self) -> None:
        """Go to the next instant at which something happens, and let all of it happen."""
        timers = self._timers
        at_ms = self.now_ms = timers[0][0]
        while timers and timers[0][0] == at_ms:
            self._ready.append(heapq.heappop(timers)[2])
        self.settle()


class LoopClock:
    """The product's clock on a virtual loop; wall clock and monotonic clock are one."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now_ms(self) -> int:
        """Return the wall clock in epoch ms."""
        return NOW_MS + int(self._loop.now_ms)

    def monotonic_ms(self) -> float:
        """Return the ms that have passed."""
        return self._loop.now_ms

    async def sleep_ms(self, delay_ms: float) -> None:
        """Wait until so much time has passed."""
        waker: asyncio.Future[None] = self._loop.create_future()
        self._loop.after_ms(max(0.0, delay_ms), _wake, waker)
        await waker


def _wake(waker: asyncio.Future[None]) -> None:
    if not waker.done():
        waker.set_result(None)
