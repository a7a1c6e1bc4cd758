"""All listeners of a worker: each event goes to every one of them, and none can hold up the worker or another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from streamer.adapters.extensions.listener_thread import ListenerThread
from streamer.adapters.extensions.loader import Loaded
from streamer.extensions import Event, Listener
from streamer.ports import Meter

#: So long listeners may take at the end for what waits for them, all together.
LAST_WORDS_S = 2.0


class Listeners:
    """Gives events on. ``hear`` is called on the event loop only."""

    def __init__(self, listeners: Sequence[Loaded[Listener]], meter: Meter) -> None:
        self.threads = tuple([ListenerThread(listener, meter) for listener in listeners])

    def hear(self, events: Sequence[Event]) -> None:
        """Let each listener have these events, soon."""
        for thread in self.threads:
            thread.put(events)

    async def close(self, within_s: float = LAST_WORDS_S) -> None:
        """Take no more events, and give what waits to those listeners that take it in time."""
        for thread in self.threads:
            thread.close()
        await asyncio.to_thread(self._join, time.monotonic() + within_s)

    def _join(self, until_s: float) -> None:
        for thread in self.threads:
            thread.join(until_s - time.monotonic())
