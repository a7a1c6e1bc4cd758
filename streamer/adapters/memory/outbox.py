"""The outbox's twin in memory: keeps what was written in order, and fails or waits as it is told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from streamer.core.emit import Emit
from streamer.ports import Change

Kind = Literal["publish", "log"]
T = TypeVar("T")


#: All records of a write reached the broker, whatever its answer.
ALL = 1 << 62


@dataclass(frozen=True, slots=True)
class Trouble:
    """How one write goes wrong: the first ``landed`` records reach the broker, then comes the error.

    Without an error the whole write is made again and succeeds, as a producer does that got no answer.
    """

    error: Exception | None = None
    landed: int = 0


class MemoryOutbox:
    """Writes to two lists, ``published`` and ``changelog``; ``order`` tells which write came when.

    ``trouble`` is asked before each write and may name one. While ``block`` holds a kind of write, its records land but
    the acknowledgement waits for ``unblock``.
    """

    def __init__(self) -> None:
        self.published: list[Emit] = []
        self.changelog: list[Change] = []
        self.order: list[tuple[Kind, Emit | Change]] = []
        self.waiting = 0
        self.trouble: Callable[[Kind, Sequence[Emit] | Sequence[Change]], Trouble | None] = _no_trouble
        self._next: dict[Kind, deque[Trouble | None]] = {"publish": deque(), "log": deque()}
        self._acknowledging: dict[Kind, asyncio.Event] = {"publish": asyncio.Event(), "log": asyncio.Event()}
        for event in self._acknowledging.values():
            event.set()

    def fail(self, kind: Kind, error: Exception | None, *, landed: int = 0, after: int = 0) -> None:
        """Let the next write of a kind fail, or the one that comes ``after`` as many good ones."""
        self._next[kind].extend([None] * after)
        self._next[kind].append(Trouble(error, landed))

    def block(self, kind: Kind) -> None:
        """Hold back acknowledgements from now on."""
        self._acknowledging[kind].clear()

    def unblock(self, kind: Kind) -> None:
        """Give the acknowledgements that were held back."""
        self._acknowledging[kind].set()

    def of(self, kind: type[T]) -> list[T]:
        """Return what was published of one kind."""
        return [emit for emit in self.published if isinstance(emit, kind)]

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Write all, in order."""
        trouble = self._ask("publish", emits)
        for emit in _landing(emits, trouble):
            self.published.append(emit)
            self.order.append(("publish", emit))
        await self._acknowledge("publish", trouble)

    async def log(self, changes: Sequence[Change]) -> None:
        """Append to the changelog."""
        trouble = self._ask("log", changes)
        for change in _landing(changes, trouble):
            self.changelog.append(change)
            self.order.append(("log", change))
        await self._acknowledge("log", trouble)

    def _ask(self, kind: Kind, items: Sequence[Emit] | Sequence[Change]) -> Trouble | None:
        if self._next[kind]:
            return self._next[kind].popleft()
        return self.trouble(kind, items)

    async def _acknowledge(self, kind: Kind, trouble: Trouble | None) -> None:
        # An acknowledgement takes a round at least, in which the next group gathers.
        await asyncio.sleep(0)
        self.waiting += 1
        try:
            await self._acknowledging[kind].wait()
        finally:
            self.waiting -= 1
        if trouble is not None and trouble.error is not None:
            raise trouble.error


def _landing(items: Sequence[T], trouble: Trouble | None) -> Sequence[T]:
    if trouble is None:
        return items
    landed = items[: trouble.landed]
    return landed if trouble.error is not None else [*landed, *items]


def _no_trouble(kind: Kind, items: Sequence[Emit] | Sequence[Change]) -> None:
    return None
