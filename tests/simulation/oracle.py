"""What must never happen, watched from outside: by the changelog, and by each call that reaches the receiver."""

from __future__ import annotations

from streamer.adapters.memory.outbox import MemoryOutbox
from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.delivery import Delivery
from streamer.core.entry import Entry, pack
from streamer.core.identity import task_digest


class Oracle:
    """Remembers the newest entry of every task, forgotten or not, and collects ``violations`` as sentences."""

    def __init__(self, outbox: MemoryOutbox) -> None:
        self.violations: list[str] = []
        self._outbox = outbox
        self._newest = MemoryTable()
        self._folded = 0

    def entry(self, task_id: str) -> Entry | None:
        """Return the newest entry of a task; what the worker may forget the oracle does not."""
        for _, key, value in self._outbox.changelog[self._folded :]:
            if isinstance(value, Entry):
                self._fold(key, value)
        self._folded = len(self._outbox.changelog)
        return self._newest.get(task_digest(task_id))

    def _fold(self, key: bytes, value: Entry) -> None:
        before = self._newest.get(key)
        same = before is not None and before.generation == value.generation
        # A cancel that finds its task forgotten waits for it, as for one that nobody has seen.
        if before and before.terminal and same and before.state is not value.state and not value.pre_entry:
            self.violations.append(f"{before.state.word} became {value.state.word} in one generation")
        self._newest.recover(key, pack(value))

    def called(self, delivery: Delivery, first_due_at_ms: int, now_ms: int) -> None:
        """Judge a call that reaches the receiver; ``first_due_at_ms`` is when the task was first to be sent."""
        what = f"{delivery.task_id} generation {delivery.generation}"
        if now_ms < max(delivery.due_at_ms, first_due_at_ms if delivery.generation == 1 else 0):
            self.violations.append(f"{what} was sent before it was due")
        entry = self.entry(delivery.task_id)
        if entry is not None and (entry.generation, entry.terminal) >= (delivery.generation, True):
            self.violations.append(f"{what} was sent after its end: {entry.state.word}")
