"""How far deliver is on a partition: what it has finished is the offset it commits, what it has in hand the metadata beside.

A lane may keep one record in hand for half a minute, and the committed offset stands before it; whoever asks how far deliver
lags behind must not take all that is in hand for unread.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HANDED = re.compile(r"handed ([0-9]{1,19})")


class Progress(NamedTuple):
    """The end of the finished prefix, and the offset that will be handed out next."""

    committable: int
    handed: int

    @property
    def metadata(self) -> str:
        """What stands beside the committed offset."""
        return f"handed {self.handed}"


def handed_of(offset: int, metadata: str | None) -> int:
    """Return the offset that will be handed out next, from a committed offset and the metadata beside it."""
    found = _HANDED.fullmatch(metadata or "")
    return max(offset, int(found[1])) if found else offset
