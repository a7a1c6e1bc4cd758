"""The few Protocols that flow needs of the world; adapters implement them, in memory and for real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from streamer.core.claims import ClaimEntry
from streamer.core.delivery import Delivery
from streamer.core.emit import Emit
from streamer.core.entry import Entry
from streamer.core.lane_memory import LaneMemory
from streamer.core.outcome import Exchange
from streamer.core.policy import SharedLimit


class Clock(Protocol):
    """Time for those who decide: wall clock for instants, monotonic for spans."""

    def now_ms(self) -> int:
        """Return the wall clock in epoch ms."""

    def monotonic_ms(self) -> float:
        """Return a clock in ms that never steps."""

    async def sleep_ms(self, delay_ms: float) -> None:
        """Wait ``delay_ms`` of monotonic time."""


class Entropy(Protocol):
    """Chance for jitter."""

    def unit(self) -> float:
        """Return a number from [0, 1)."""


class Sender(Protocol):
    """Carries out one HTTP exchange. A peer's failure is a value; what it raises is a fault of ours."""

    async def send(self, delivery: Delivery) -> Exchange:
        """Send the delivery's request once, within its timeout, following no redirect."""

    async def close(self) -> None:
        """Close every connection."""


class Lease(Protocol):
    """The right to send and to write for what we own (RULES 4)."""

    def held(self) -> bool:
        """Tell whether the last good heartbeat is recent enough."""


#: One change of state: partition, key (a task's digest, a claim's or a lane's), and the new value or None for a tombstone.
Change = tuple[int, bytes, Entry | ClaimEntry | LaneMemory | None]


class Outbox(Protocol):
    """Writes records to the broker. Returns only after the broker's acknowledgement."""

    async def publish(self, emits: Sequence[Emit]) -> None:
        """Write all, in order per partition; raises Abandoned when the lease is lost first."""

    async def log(self, changes: Sequence[Change]) -> None:
        """Append to the table's changelog, acknowledged; raises Abandoned when the lease is lost first."""


class Abandoned(Exception):
    """The lease was lost before the broker acknowledged: what was to be written belongs to the next owner."""


class Table(Protocol):
    """The entries of one partition, local beside their changelog.

    ``outranked`` holds the digests of which the changelog's last record is not what holds: it is to be written again.
    """

    outranked: set[bytes]

    def __len__(self) -> int:
        """Count the entries."""

    def get(self, digest: bytes) -> Entry | None:
        """Return a task's entry."""

    def put(self, digest: bytes, entry: Entry) -> None:
        """Set a task's entry, after its changelog record was acknowledged."""

    def forget(self, digest: bytes) -> None:
        """Remove a task's entry, after its tombstone was acknowledged."""

    def ended(self) -> Iterator[tuple[bytes, Entry]]:
        """Iterate terminal entries, the one that ended first coming first."""

    def open(self) -> Iterator[tuple[bytes, Entry]]:
        """Iterate entries of tasks that have not ended."""

    def due_s(self) -> Iterator[int]:
        """Iterate the due times of open entries as they are now, whatever is put or forgotten meanwhile."""

    def open_in(self, lane_hash: int) -> int:
        """Count the entries of a lane's tasks that have not ended."""


class Claims(Protocol):
    """The claims of one partition, on disk beside the same changelog."""

    def get(self, key: bytes) -> ClaimEntry | None:
        """Return who claimed a key."""

    def put_many(self, claims: Sequence[tuple[bytes, ClaimEntry]]) -> None:
        """Keep claims, after their changelog records were acknowledged."""

    def forget_many(self, keys: Sequence[bytes]) -> None:
        """Remove claims, after their tombstones were acknowledged."""

    def held_by(self, business: bytes) -> int:
        """Count the claims of a business, by its digest."""

    def older_than(self, claimed_s: int, limit: int) -> Sequence[bytes]:
        """Return up to ``limit`` keys claimed before ``claimed_s``."""


class Marker(Protocol):
    """What a process that died without a word had in hand, and what it had in hand alone (RULES 14)."""

    def span_end(self, source: str, partition: int) -> int:
        """Return the end of the span that an unclean exit left unfinished; 0 when there is none."""

    def found_twice(self, source: str, partition: int, offset: int) -> bool:
        """Tell whether the process died twice with this very record in hand alone."""

    def begin(self, source: str, partition: int, offset: int) -> None:
        """Note that a record of the span is now in hand alone."""

    def end(self, source: str, partition: int, offset: int) -> None:
        """Note that the record has been handled."""

    def handed(self, source: str, partition: int, end: int) -> None:
        """Note how far records have been handed out."""


class Meter(Protocol):
    """Counts what happened; the closed list of names stands with its adapter."""

    def count(self, name: str, amount: int = 1, label: str = "") -> None:
        """Add to a counter."""

    def observe(self, name: str, value: float, label: str = "") -> None:
        """Add a value to a distribution."""


class Calendar(Protocol):
    """Knows cron expressions and time zones."""

    def next_after(self, cron: str, time_zone: str, after_ms: int) -> int | None:
        """Return the first instant after ``after_ms``, in epoch ms; None when there is none in sight."""

    def check_cron(self, cron: str) -> None:
        """Raise ValueError, with what is allowed, unless it is an expression that comes true some day."""

    def check_zone(self, time_zone: str) -> None:
        """Raise ValueError, with what is allowed, unless the time zone is known."""


class SharedLimits(Protocol):
    """Rates across domains, shared by all processes where there are several."""

    async def reserve(self, limits: Sequence[SharedLimit], now_ms: int, horizon_ms: int) -> int | None:
        """Take the next slot that all the limits have in common and return it, in epoch ms, not before ``now_ms``.

        None when it lies beyond ``now_ms + horizon_ms``: then nothing is taken.
        """
