"""The local marker's twin in memory: outlives the stages that write to it, as a file outlives its process."""

from __future__ import annotations

from collections import Counter

_TWICE = 2


class MemoryMarker:
    """What was in hand; ``die`` and ``stop`` stand for the two ways in which a process ends."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, int], int] = {}
        self._handed: dict[tuple[str, int], int] = {}
        self._deaths: Counter[tuple[str, int, int]] = Counter()
        self._alone: set[tuple[str, int, int]] = set()

    def die(self) -> None:
        """End without a word: what was handed out is the next one's unfinished span."""
        self._spans = dict(self._handed)
        self._deaths.update(self._alone)
        self._alone.clear()

    def stop(self) -> None:
        """End cleanly: nothing is left in doubt."""
        self._spans.clear()
        self._handed.clear()
        self._deaths.clear()
        self._alone.clear()

    def span_end(self, source: str, partition: int) -> int:
        """Return the end of the span that an unclean exit left unfinished; 0 when there is none."""
        return self._spans.get((source, partition), 0)

    def found_twice(self, source: str, partition: int, offset: int) -> bool:
        """Tell whether the process died twice with this very record in hand alone."""
        return self._deaths[source, partition, offset] >= _TWICE

    def begin(self, source: str, partition: int, offset: int) -> None:
        """Note that a record of the span is now in hand alone."""
        self._alone.add((source, partition, offset))

    def end(self, source: str, partition: int, offset: int) -> None:
        """Note that the record has been handled."""
        self._alone.discard((source, partition, offset))

    def handed(self, source: str, partition: int, end: int) -> None:
        """Note how far records have been handed out."""
        self._handed[source, partition] = end
