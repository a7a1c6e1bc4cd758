"""The claims of one partition on disk (SQLite), with the changelog offset up to which they are complete."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from streamer.core.claims import ClaimEntry, pack_claim, unpack_claim

_SCHEMA = """
create table if not exists claims (key blob primary key, value blob not null, claimed_s integer not null,
                                   business blob not null) without rowid;
create index if not exists claims_by_age on claims (claimed_s);
create table if not exists held (business blob primary key, claims integer not null) without rowid;
create table if not exists facts (name text primary key, value integer not null) without rowid;
"""
_APPLIED = "applied_offset"
_CACHE_KIB = 256


class ClaimsOnDisk:
    """Claims by digest; a change and the changelog offset it stands for are one transaction (RULES 35).

    The file may be deleted at any time while nobody has it open: the changelog rebuilds it.
    """

    def __init__(self, path: Path | str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # The changelog is the truth, so a power cut may cost what the last moments wrote; a torn file may not happen.
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        # Of the 2 MiB that are usual every partition's file would have filled its own after some hours; the system keeps pages too.
        self._db.execute(f"pragma cache_size=-{_CACHE_KIB}")
        self._db.executescript(_SCHEMA)
        self._closed = False

    def close(self) -> None:
        """Close the file; changes that come later are left to the changelog."""
        self._closed = True
        self._db.close()

    def get(self, key: bytes) -> ClaimEntry | None:
        """Return who claimed a key."""
        row = self._db.execute("select value from claims where key = ?", (key,)).fetchone()
        return unpack_claim(row[0]) if row else None

    def put_many(self, claims: Sequence[tuple[bytes, ClaimEntry]]) -> None:
        """Keep claims."""
        self._apply([(key, pack_claim(entry)) for key, entry in claims], None)

    def forget_many(self, keys: Sequence[bytes]) -> None:
        """Remove claims."""
        self._apply([(key, None) for key in keys], None)

    def recover(self, changes: Iterable[tuple[bytes, bytes | None]], applied_offset: int) -> None:
        """Apply records of the changelog in the log's order, and note how far it is applied."""
        self._apply(changes, applied_offset)

    def held_by(self, business: bytes) -> int:
        """Count the claims of a business, by its digest."""
        row = self._db.execute("select claims from held where business = ?", (business,)).fetchone()
        return int(row[0]) if row else 0

    def older_than(self, claimed_s: int, limit: int) -> Sequence[bytes]:
        """Return up to ``limit`` keys claimed before ``claimed_s``."""
        query = "select key from claims where claimed_s < ? order by claimed_s limit ?"
        return [row[0] for row in self._db.execute(query, (claimed_s, limit))]

    @property
    def applied_offset(self) -> int:
        """The changelog offset up to which the file is complete; -1 for a new file."""
        row = self._db.execute("select value from facts where name = ?", (_APPLIED,)).fetchone()
        return int(row[0]) if row else -1

    def _apply(self, changes: Iterable[tuple[bytes, bytes | None]], applied_offset: int | None) -> None:
        if self._closed:
            return
        # Of several changes of one key the last counts.
        last = dict(changes)
        fresh = [(key, value, unpack_claim(value)) for key, value in last.items() if value is not None]
        with self._db:
            self._db.execute("begin immediate")
            held = Counter([entry.business for _, _, entry in fresh])
            held.subtract(self._forget(last))
            self._db.executemany(
                "insert into claims values (?, ?, ?, ?)",
                [(key, value, entry.claimed_s, entry.business) for key, value, entry in fresh],
            )
            # Once for a business, not for each of its claims.
            self._db.executemany(
                "insert into held values (?, ?) on conflict (business) do update set claims = claims + excluded.claims",
                held.items(),
            )
            if applied_offset is not None:
                self._db.execute("insert or replace into facts values (?, ?)", (_APPLIED, applied_offset))

    def _forget(self, keys: Iterable[bytes]) -> list[bytes]:
        """Take claims away, those that are there; return the business of each."""
        query = "delete from claims where key = ? returning business"
        return [row[0] for key in keys for row in self._db.execute(query, (key,))]
