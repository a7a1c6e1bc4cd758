"""A record that came too large to stand whole, in base64, in its dead letter: as much of it as there is room for."""

from __future__ import annotations

from typing import NamedTuple

Headers = tuple[tuple[str, bytes], ...]

#: Shares of the room that key and headers may take; the value has what is left.
_KEY_SHARE, _HEADERS_SHARE = 1 / 16, 1 / 8
#: Quotes, brackets and commas around a header in JSON; a character of its name may be escaped to six.
_PAIR_BYTES, _ESCAPED_BYTES = 8, 6


class Kept(NamedTuple):
    """What is kept of key and headers, and whether something was cut."""

    key: bytes | None
    headers: Headers
    cut: bool


def cut_key_and_headers(key: bytes | None, headers: Headers, most_bytes: int) -> Kept:
    """Return what is kept of a record's key and of its headers, the first ones, in ``most_bytes`` for the whole letter."""
    most_key = raw_bytes(int(most_bytes * _KEY_SHARE))
    kept_key = key if key is None or len(key) <= most_key else key[:most_key]
    room = int(most_bytes * _HEADERS_SHARE)
    count = 0
    for name, value in headers:
        room -= len(name) * _ESCAPED_BYTES + _base64_bytes(len(value or b"")) + _PAIR_BYTES
        if room < 0:
            break
        count += 1
    return Kept(kept_key, headers[:count], kept_key is not key or count < len(headers))


def raw_bytes(base64_bytes: int) -> int:
    """Return how many bytes so much base64 has room for."""
    return max(0, base64_bytes // 4 * 3)


def _base64_bytes(raw: int) -> int:
    return -(-raw // 3) * 4
