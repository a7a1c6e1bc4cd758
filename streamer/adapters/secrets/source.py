"""What a place where secrets are kept can do, and how their values are held in memory."""

from __future__ import annotations

import re
from typing import Protocol

#: As on `config` and in ``${secret:NAME}``.
NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
#: A longer value is no secret but a file put in the wrong place.
MAX_BYTES = 65_536


class Hidden:
    """A secret's value, which no log, traceback or debugger prints by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "***"

    def reveal(self) -> bytes:
        """Return the value."""
        return self._value


class SourceUnreadable(Exception):
    """A source that may have the secret cannot be read; the message holds no part of a value."""


class SecretSource(Protocol):
    """One place where secrets are kept."""

    @property
    def title(self) -> str:
        """What people call it."""

    def read(self, name: str) -> Hidden | None:
        """Return a secret, blocking; None when it is not here. Raises SourceUnreadable."""

    def names(self) -> list[str]:
        """Return the names of the secrets that are here, as far as they can be told; raises SourceUnreadable."""


def checked(value: bytes, whence: str) -> Hidden:
    """Return a value as it is used: without the line end that editors and `echo` add; raises SourceUnreadable."""
    value = value.removesuffix(b"\n").removesuffix(b"\r")
    if not value:
        raise SourceUnreadable(f"{whence} is empty")
    if len(value) > MAX_BYTES:
        raise SourceUnreadable(f"{whence} is longer than {MAX_BYTES} bytes")
    return Hidden(value)
