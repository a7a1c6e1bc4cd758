"""Rows of the documents' tables of HTTP headers: those that calls get, and those that no task may set."""

from __future__ import annotations

from collections.abc import Sequence

from streamer.adapters.http.headers import OUTGOING
from streamer.wire.forbidden_headers import ROWS

Rows = tuple[Sequence[str], list[Sequence[str]]]


def outgoing_rows() -> Rows:
    """Return columns and rows of what we add to a call."""
    rows = [(f"`{header.name}`", header.meaning, "yes" if header.callers else "no") for header in OUTGOING]
    return ("header", "what it tells", "the caller's own is taken instead"), [tuple(row) for row in rows]


def forbidden_rows() -> Rows:
    """Return columns and rows of what is refused."""
    rows = [
        (", ".join(f"`{name}`" for name in (*row.names, *(f"{prefix}*" for prefix in row.prefixes))), row.of, row.why)
        for row in ROWS
    ]
    return ("header", "whose it is", "why a task may not set it"), [tuple(row) for row in rows]
