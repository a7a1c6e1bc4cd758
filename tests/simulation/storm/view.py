"""What the oracle knows of one task."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.core.delivery import Delivery
from streamer.core.entry import Entry
from streamer.core.lifecycle import State

#: A generation and the number of an attempt in it.
Step = tuple[int, int]


@dataclass(slots=True, eq=False)
class View:
    """A task as seen from outside: what was accepted, sent, answered, told and written of it."""

    task_id: str
    digest: bytes
    #: Whether it has yet to come to an end; a new generation opens it again.
    open: bool = True
    origin: tuple[int, int] | None = None
    first_due_ms: int = 0
    #: Its newest delivery that landed anywhere: what an operator would see.
    newest: Delivery | None = None
    entries: dict[int, Entry] = field(default_factory=dict)
    #: How many records of a step stand on deliveries, due and the tiers that no committed offset has passed.
    copies: dict[Step, int] = field(default_factory=dict)
    #: How many first records of it stand on deliveries that no committed offset has passed.
    firsts: int = 0
    #: For each call: how often its partition had been lost before it; and all the calls that were made.
    calls: dict[Step, int] = field(default_factory=dict)
    not_before_ms: dict[Step, int] = field(default_factory=dict)
    good: dict[int, int] = field(default_factory=dict)
    failed: set[Step] = field(default_factory=set)
    #: The first end told of each generation, and how often its partition had been lost by then.
    ends: dict[int, tuple[State, int]] = field(default_factory=dict)
    #: Generations whose terminal entry is written, by the right owner, and the end that it tells.
    sealed: dict[int, State] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    #: The broker refused a write of it: what was sent may be sent again.
    excused: int = 0

    def newest_entry(self) -> Entry | None:
        """Return the entry of the highest generation; of two, the one of the task that goes on."""
        entries = self.entries.values()
        return max(entries, key=lambda entry: (entry.generation, not entry.moved), default=None)
