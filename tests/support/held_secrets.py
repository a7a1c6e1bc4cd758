"""Secrets that a test holds in its hand."""

from __future__ import annotations

from streamer.adapters.http.secrets import SecretMissing


class HeldSecrets:
    """A source of secrets whose values a test changes; ``slow`` ones are not at hand, and must be waited for."""

    def __init__(self, slow: bool = False, **values: bytes) -> None:
        """Hold these values."""
        self.values = values
        self.slow = slow

    def peek(self, name: str) -> bytes | None:
        """Return a value that is at hand."""
        return None if self.slow else self.values.get(name)

    async def get(self, name: str) -> bytes:
        """Return a value; raises SecretMissing."""
        if name not in self.values:
            raise SecretMissing(name, "nobody holds it")
        return self.values[name]
