"""The lease's twin in memory: held until it is taken away."""

from __future__ import annotations


class MemoryLease:
    """A switch in place of heartbeats."""

    def __init__(self) -> None:
        self._held = True

    def lose(self) -> None:
        """Take the right to send and to write away."""
        self._held = False

    def renew(self) -> None:
        """Give it back."""
        self._held = True

    def held(self) -> bool:
        """Tell whether we may send and write now."""
        return self._held
