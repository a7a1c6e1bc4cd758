"""Where a bug may be planted by hand: what each seam gives a process in place of the right thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamer.adapters.store.memory_table import MemoryTable
from streamer.core.policy_book import PolicyBook
from streamer.core.window import Window
from streamer.ports import Claims, Clock, Lease, Outbox, Sender

if TYPE_CHECKING:
    from tests.simulation.storm.process import Process


class Plant:
    """Plants nothing; a bug overrides the seam that it sits in.

    ``longest_ms`` is how long after its last event a run may go on: a record that killed its worker twice is parked for
    twelve hours.
    """

    longest_ms = 40 * 3_600_000
    #: How soon a worker looks at its lease when it neither sends nor writes.
    notices_ms = 250

    def outbox(self, outbox: Outbox, process: Process) -> Outbox:
        """Return the outbox of the stages."""
        return outbox

    def sender(self, sender: Sender, process: Process) -> Sender:
        """Return the sender of the stages."""
        return sender

    def clock(self, clock: Clock) -> Clock:
        """Return deliver's clock."""
        return clock

    def book(self, book: PolicyBook) -> PolicyBook:
        """Return the policies that deliver goes by."""
        return book

    def lease(self, lease: Lease) -> Lease:
        """Return the lease of an assignment."""
        return lease

    def claims(self, claims: Claims) -> Claims:
        """Return the claims of a partition."""
        return claims

    def table(self) -> MemoryTable:
        """Return a new table."""
        return MemoryTable()

    def window(self, start: int, max_unfinished: int, max_bytes: int) -> Window:
        """Return a new window."""
        return Window(start, max_unfinished, max_bytes)
