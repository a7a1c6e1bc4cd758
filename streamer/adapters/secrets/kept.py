"""Secrets in memory, each read from the first source that has it, and read again when it has grown old."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamer.adapters.http.secrets import SecretMissing
from streamer.adapters.secrets.source import Hidden, SecretSource, SourceUnreadable
from streamer.ports import Clock

#: A value is read anew after this long, so that a rotated token is in use within it.
FRESH_MS = 5_000.0
#: So many values are kept; all are forgotten together when there are more.
REMEMBERED = 10_000


class KeptSecrets:
    """Serves secrets to calls; sources are asked beside the event loop, and for each name once at a time."""

    def __init__(self, sources: Sequence[SecretSource], clock: Clock) -> None:
        """Take the sources, the one whose word goes first at the front."""
        self._sources = tuple(sources)
        self._clock = clock
        self._kept: dict[str, tuple[Hidden, float]] = {}
        self._reading: dict[str, asyncio.Task[Hidden]] = {}

    def __repr__(self) -> str:
        return f"<KeptSecrets from {', '.join(source.title for source in self._sources)}>"

    def peek(self, name: str) -> bytes | None:
        """Return a value that is in memory and fresh."""
        kept = self._kept.get(name)
        if kept is None or self._clock.monotonic_ms() >= kept[1]:
            return None
        return kept[0].reveal()

    async def get(self, name: str) -> bytes:
        """Return a value; raises SecretMissing."""
        kept = self.peek(name)
        if kept is not None:
            return kept
        task = self._reading.get(name)
        if task is None:
            task = self._reading[name] = asyncio.create_task(self._read(name))
            task.add_done_callback(lambda done: self._done(name, done))
        # One caller that gives up must not take the value from the others.
        return (await asyncio.shield(task)).reveal()

    def _done(self, name: str, task: asyncio.Task[Hidden]) -> None:
        self._reading.pop(name, None)
        if not task.cancelled():
            # Asked for, or asyncio tells of it as forgotten when every caller has given up.
            task.exception()

    async def _read(self, name: str) -> Hidden:
        value = await asyncio.to_thread(read_first, self._sources, name)
        if len(self._kept) >= REMEMBERED:
            self._kept.clear()
        self._kept[name] = (value, self._clock.monotonic_ms() + FRESH_MS)
        return value


def read_first(sources: Sequence[SecretSource], name: str) -> Hidden:
    """Return a secret from the first source that has it; raises SecretMissing, also where one that may have it is unreadable."""
    for source in sources:
        try:
            value = source.read(name)
        except SourceUnreadable as error:
            # The next source may hold an older value of the name: to go on would bring it back unnoticed.
            raise SecretMissing(name, str(error)) from None
        if value is not None:
            return value
    raise SecretMissing(name, f"is not set; looked in {', '.join(source.title for source in sources)}")
