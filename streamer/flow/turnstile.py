"""Answers that come together go on a few at a time: the first ones' slots are filled before the last ones are read."""

from __future__ import annotations

import asyncio
from collections import deque

#: About 3 ms of work for an answer and the call that follows it.
_AT_ONCE = 8


class Turnstile:
    """Lets so many pass in each round of the event loop; the others follow in the order in which they came.

    A loop's round does one step of everything that is ready. Were 200 answers ready, all would be read first and all 200
    calls that follow would be made after that: as one crowd, whose answers come as a crowd again, which grows by all that
    come meanwhile. A few in each round leave as they are served, one after the other.
    """

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        """Let ``at_once`` pass in each round."""
        self._at_once = self._left = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()

    def enter(self) -> asyncio.Future[None] | None:
        """Pass, or return what must be awaited first."""
        if self._left and not self._waiting:
            if self._left == self._at_once:
                asyncio.get_running_loop().call_soon(self._round)
            self._left -= 1
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    def _round(self) -> None:
        self._left = self._at_once
        while self._left and self._waiting:
            future = self._waiting.popleft()
            # One that was cancelled takes nobody's place.
            if not future.done():
                future.set_result(None)
                self._left -= 1
        if self._left < self._at_once:
            asyncio.get_running_loop().call_soon(self._round)
