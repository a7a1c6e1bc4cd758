"""A partition that this process owns, and the work that was read under it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from streamer.core.command import Command
from streamer.core.delivery import Delivery
from streamer.core.emit import LaneSignal, UnreadableOf
from streamer.core.identity import content_hash, task_digest
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.waiting import Waiting
from streamer.core.window import Window
from streamer.ports import Claims, Lease, Table


@dataclass(slots=True, eq=False)
class Owned:
    """What belongs to one assignment of one partition; the next assignment gets an object of its own (RULES 3, 7).

    ``epoch`` is the owner's generation. ``busy`` holds the digests of tasks in hand, each with those records that wait for
    its end: an answer of ours may come back before its entry is written, and must be judged by the entry then. ``queued``
    holds those of them that wait in a lane, where a command finds them. ``settling`` counts what is decided and not written:
    a partition that decides faster than can be written, as a backlog that is put off does, is read on when it is less.
    ``orphans`` are seen records without an entry, kept until ``firsts_done``.
    """

    number: int
    epoch: int
    table: Table
    claims: Claims
    lanes: LaneBook
    lease: Lease
    open: bool = True
    settling: int = 0
    busy: dict[bytes, deque[Work] | None] = field(default_factory=dict)
    queued: dict[bytes, Work] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    careful: dict[str, deque[Work]] = field(default_factory=dict)
    alone: dict[str, Work] = field(default_factory=dict)
    orphans: list[Work] = field(default_factory=list)
    firsts_done: Callable[[], bool] = lambda: True

    def may_act(self) -> bool:
        """Tell whether we may send and write for this partition now (RULES 4)."""
        return self.open and self.lease.held()

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job that is cancelled when the partition is given up."""
        task = asyncio.create_task(job)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    @contextmanager
    def keeping(self, digests: Sequence[bytes], release: Callable[[Owned, bytes], None]) -> Iterator[None]:
        """Count tasks as busy for the length of the block: a record or command that comes for one waits, and is judged after it."""
        self.busy.update(dict.fromkeys(digests))
        try:
            yield
        finally:
            for digest in digests:
                release(self, digest)

    def close(self) -> None:
        """Give the partition up: every task of it is cancelled, nothing of it is written any more."""
        self.open = False
        for task in self.tasks:
            task.cancel()
        self.busy.clear()
        self.queued.clear()
        self.careful.clear()
        self.alone.clear()
        self.orphans.clear()


Item = Delivery | Command | UnreadableOf | LaneSignal


class Work(Struct, eq=False):
    """One record in hand, with the window that it was read under; a task keeps it to its end.

    ``parked`` tells that the process died twice with it in hand alone, so that it is set aside in place of being sent.
    ``place`` is where it waits for its turn, while it does.
    """

    item: Item
    digest: bytes
    content: bytes
    owned: Owned
    window: Window
    source: str
    offset: int
    parked: bool = False
    place: tuple[Lane[Work], Waiting[Work]] | None = None

    def finish(self) -> None:
        """Mark the record's offset done."""
        self.window.finish(self.offset)


class Batch(Struct, frozen=True):
    """Records of one topic partition, in order: ``(offset, size in bytes, item)``."""

    source: str
    partition: int
    window: Window
    records: list[tuple[int, int, Item]]


def work_of(item: Item, owned: Owned, window: Window, source: str, offset: int) -> Work:
    """Return a record as work in hand."""
    if isinstance(item, Delivery):
        return Work(item, task_digest(item.task_id), content_of(item), owned, window, source, offset)
    if isinstance(item, Command):
        content = content_of(item.delivery) if item.delivery else bytes(8)
        return Work(item, task_digest(item.task_id), content, owned, window, source, offset)
    return Work(item, f"{source}:{offset}".encode(), bytes(8), owned, window, source, offset)


def content_of(delivery: Delivery) -> bytes:
    """Return what tells two requests under one id apart: method, URL and body."""
    request = delivery.request
    return content_hash(request.method.encode(), request.url.encode(), request.body)
