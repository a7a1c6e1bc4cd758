"""Headers cut to what a result has room for: a peer may send hundreds of KiB of them, and a result must fit its topic."""

from __future__ import annotations

from collections.abc import Sequence

Pairs = Sequence[tuple[str, str]]

#: Names and values of an answer's headers, or of a request's, that a result has at most.
KEPT_HEADER_BYTES = 32 * 1024
#: Quotes, brackets and commas around a pair in JSON.
_PAIR_BYTES = 8


def cut_headers(headers: Pairs, most: int = KEPT_HEADER_BYTES) -> tuple[Pairs, bool]:
    """Return the headers that fit, in their order, and whether some did not; small ones behind a large one still do."""
    # Usual headers are far below, and counted without their encoding.
    if sum([len(name) + len(value) + _PAIR_BYTES for name, value in headers]) * 4 <= most:
        return headers, False
    kept: list[tuple[str, str]] = []
    room = most
    for name, value in headers:
        size = _size(name) + _size(value) + _PAIR_BYTES
        if size <= room:
            kept.append((name, value))
            room -= size
    return kept, len(kept) < len(headers)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
