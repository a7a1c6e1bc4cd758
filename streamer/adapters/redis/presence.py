"""Whether Redis is here. While it is away a probe looks for it in the background, and nobody else does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0
#: One that was here for so long is looked for soon when it goes; one that comes and goes less and less often.
_STEADY_S = 10.0
_MESSAGE_CHARACTERS = 200


class Presence:
    """``look`` is one attempt to use Redis, with a deadline of its own; what it raises means that Redis is away."""

    def __init__(self, look: Callable[[], Awaitable[object]], name: str, meanwhile: str) -> None:
        self.here = True
        self._look = look
        self._name = name
        self._meanwhile = meanwhile
        self._wait_s = _FIRST_WAIT_S
        self._since_s = 0.0
        self._probe: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Look once, now."""
        try:
            await self._look()
        except Exception as error:
            self.left(error)

    def left(self, error: Exception) -> None:
        """Note that a call has failed; only the first one after a time here is logged."""
        if not self.here:
            return
        self.here = False
        now_s = asyncio.get_running_loop().time()
        if now_s - self._since_s > _STEADY_S:
            self._wait_s = _FIRST_WAIT_S
        log.warning("Redis at %s is away (%s): %s", self._name, _told(error), self._meanwhile)
        self._probe = asyncio.create_task(self._until_back(now_s))

    async def close(self) -> None:
        """Look no more."""
        self.here = False
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.wait([self._probe])

    async def _until_back(self, left_s: float) -> None:
        while True:
            await asyncio.sleep(self._wait_s)
            self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
            try:
                await self._look()
            except Exception as error:
                log.debug("Redis at %s is still away (%s)", self._name, _told(error))
            else:
                break
        self._since_s = asyncio.get_running_loop().time()
        self.here = True
        log.warning("Redis at %s is back after %.1f s", self._name, self._since_s - left_s)


def _told(error: Exception) -> str:
    """Return an error in one short line: a server's message may be of any length."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:_MESSAGE_CHARACTERS]
