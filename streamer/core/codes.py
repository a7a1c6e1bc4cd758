"""Sets of HTTP status codes, written as numbers, classes or ranges.

Knows nothing of requests, tasks or what a code leads to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

_CLASS = re.compile(r"([1-5])xx", re.IGNORECASE)
_RANGE = re.compile(r"([0-9]{3})\s*-\s*([0-9]{3})")
_CODE = re.compile(r"[0-9]{3}")
_LOWEST, _HIGHEST = 100, 599


class Codes(Struct, frozen=True, gc=False):
    """A set of status codes that remembers how it was written."""

    text: tuple[str, ...]
    members: frozenset[int]

    def __contains__(self, status: int) -> bool:
        return status in self.members


def parse_codes(items: Iterable[int | str]) -> Codes:
    """Read ``404``, ``"404"``, ``"5xx"`` and ``"200-204"``; ValueError says which item is wrong and what is allowed."""
    text: list[str] = []
    members: set[int] = set()
    for item in items:
        text.append(str(item))
        members.update(_expand(item))
    return Codes(tuple(text), frozenset(members))


def _expand(item: int | str) -> Iterable[int]:
    written = str(item).strip()
    if match := _CLASS.fullmatch(written):
        first = int(match[1]) * 100
        return range(first, first + 100)
    if match := _RANGE.fullmatch(written):
        low, high = int(match[1]), int(match[2])
        if _LOWEST <= low <= high <= _HIGHEST:
            return range(low, high + 1)
    elif _CODE.fullmatch(written) and _LOWEST <= int(written) <= _HIGHEST:
        return (int(written),)
    raise ValueError(
        f'{item!r} is no status code: allowed are 100 to 599, a class like "5xx" or a range like "200-204"'
    )
