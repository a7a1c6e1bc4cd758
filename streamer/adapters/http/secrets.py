"""Values of secrets as the senders of calls ask for them."""

from __future__ import annotations

from typing import Protocol


class SecretMissing(Exception):
    """No source has the secret, or the one that should cannot be read; the message holds no part of a value."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"secret {name}: {reason}")
        self.name = name
        self.reason = reason


class Secrets(Protocol):
    """Where values of secrets come from, by name."""

    def peek(self, name: str) -> bytes | None:
        """Return a value that is in memory and fresh; None says nothing."""

    async def get(self, name: str) -> bytes:
        """Return a value; raises SecretMissing."""
