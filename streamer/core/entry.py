"""A task's entry in deliver's table: what the changelog keeps of it, packed in 46 bytes.

Must not know where entries are kept, nor the topics and windows behind its offsets.
"""

from __future__ import annotations

import struct

from msgspec import Struct

from streamer.core.lifecycle import TERMINAL, State

_LAYOUT = struct.Struct("<IIIBBII8sIHIHI")
ENTRY_BYTES = _LAYOUT.size
_DUE_AT = struct.calcsize("<IIIBBI")
_LANE_AT = struct.calcsize("<IIIBBII8s")

#: Set on an entry that a command made before its task was seen (RULES 25).
PRE_ENTRY = 1
#: Set on an entry whose task has gone on in another lane; it ended here only (RULES 7).
MOVED = 2
#: Stands for "no request record": a task that only a command brought.
NO_PARTITION = 0xFFFF
_OFFSET_LIMIT = 1 << 48


class Entry(Struct, frozen=True, gc=False):
    """The current generation of a task and where it stands.

    ``attempt`` is the number of attempts recorded in this generation; the only current record is that of the next one.
    ``epoch`` is the generation of the owner that wrote the entry. ``updated_s`` and ``due_s`` are epoch seconds.
    ``content`` tells a duplicate with other content (RULES 32). ``lane`` is the hash that partitions the lane, so that a
    move to other partition counts can re-key the table (RULES 37). The request's offset must be committed before the entry
    may be forgotten (RULES 11). ``command`` is the mark of the command that made this generation or cancelled it, 0 where
    none did: a command that is read again is known by it.
    """

    generation: int
    epoch: int
    attempt: int
    state: State
    flags: int
    updated_s: int
    due_s: int
    content: bytes
    lane: int
    request_partition: int
    request_offset: int
    command: int = 0

    @property
    def terminal(self) -> bool:
        """Tell whether this generation has ended."""
        return self.state in TERMINAL

    @property
    def pre_entry(self) -> bool:
        """Tell whether a command made the entry before its task was seen."""
        return bool(self.flags & PRE_ENTRY)

    @property
    def moved(self) -> bool:
        """Tell whether the task has gone on in another lane."""
        return bool(self.flags & MOVED)


def pack(entry: Entry) -> bytes:
    """Return the entry as the changelog stores it."""
    return _LAYOUT.pack(
        entry.generation,
        entry.epoch,
        entry.attempt,
        entry.state,
        entry.flags,
        entry.updated_s,
        entry.due_s,
        entry.content,
        entry.lane,
        entry.request_partition,
        entry.request_offset & 0xFFFFFFFF,
        entry.request_offset >> 32,
        entry.command,
    )


def packed_lane(value: bytes) -> int:
    """Return the lane's hash of a packed entry, without reading the rest."""
    return int.from_bytes(value[_LANE_AT : _LANE_AT + 4], "little")


def packed_due_s(value: bytes) -> int:
    """Return the due time of a packed entry, without reading the rest."""
    return int.from_bytes(value[_DUE_AT : _DUE_AT + 4], "little")


def unpack(value: bytes) -> Entry:
    """Read an entry; ValueError when it is not one."""
    if len(value) != ENTRY_BYTES:
        raise ValueError(f"an entry has {ENTRY_BYTES} bytes, not {len(value)}")
    fields = _LAYOUT.unpack(value)
    return Entry(
        generation=fields[0],
        epoch=fields[1],
        attempt=fields[2],
        state=State(fields[3]),
        flags=fields[4],
        updated_s=fields[5],
        due_s=fields[6],
        content=fields[7],
        lane=fields[8],
        request_partition=fields[9],
        request_offset=fields[10] | fields[11] << 32,
        command=fields[12],
    )


def supersedes(new: Entry, old: Entry) -> bool:
    """Tell whether ``new``, read later, takes the place of ``old`` in a recovery (RULES 4).

    Entries are ordered by owner generation, task generation and attempt, then terminal before open, so that what a stopped
    owner wrote late does not undo what its successor wrote. The successor had read all that stood there, and decided without
    what had not landed: a command too, which it reads again.
    """
    return _rank(new) >= _rank(old)


def _rank(entry: Entry) -> tuple[int, int, int, bool]:
    return entry.epoch, entry.generation, entry.attempt, entry.terminal
