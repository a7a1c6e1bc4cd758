"""Whether a process that is short of CPU has read enough: what waits in hand then waits for nothing but its turn.

Must not know what is read, nor where CPU is measured.
"""

from __future__ import annotations

#: The measure is taken over this long at least.
LOOK_MS = 250
#: Share of the time in which the process ran or could have run, from which it is short of CPU, and below which no more.
_SHORT, _SHORT_NO_MORE = 0.9, 0.8
#: The weight of the newest look in the running mean of what is finished a second.
_NEWEST = 0.3


class ReadAhead:
    """Bounds what is in hand to ``ahead_ms`` of work, but only while CPU is what is missing.

    A lane holds what its target can take in a while, and puts off what is beyond (RULES 22). Where the process itself is what
    is slow, to put off costs as much CPU as to deliver, and nobody gets through any sooner for it. What is read no further has
    cost nothing, and no partition is at a disadvantage: all of them wait for the same CPU. If what is in hand waits for slow
    targets after all, the process soon has CPU to spare, and reads on.
    """

    __slots__ = ("_ahead_ms", "_finished", "_least", "_looked_ms", "_most_bytes", "_per_s", "short")

    def __init__(self, ahead_ms: int = 1_500, least: int = 1_000, most_bytes: int = 6 * 1024 * 1024) -> None:
        """Begin with CPU enough; ``least`` records may always be in hand."""
        #: Whether the process is short of CPU.
        self.short = False
        self._ahead_ms = ahead_ms
        self._least = least
        self._most_bytes = most_bytes
        self._looked_ms = 0.0
        self._finished = 0
        self._per_s = 0.0

    def __repr__(self) -> str:
        return f"<ReadAhead {'short' if self.short else 'idle'}, {self._per_s:.0f}/s>"

    def due(self, now_ms: float) -> bool:
        """Tell whether it is time to look again."""
        return now_ms - self._looked_ms >= LOOK_MS

    def look(self, now_ms: float, share: float, finished: int) -> None:
        """Take the share of the time, since the last look, in which the process ran or could have run.

        ``finished`` counts the records finished ever; a smaller number than before begins anew, as an assignment does.
        """
        self.short = share >= (_SHORT_NO_MORE if self.short else _SHORT)
        passed_ms, done = now_ms - self._looked_ms, max(0, finished - self._finished)
        per_s = done * 1000 / passed_ms if self._looked_ms else 0.0
        self._per_s += _NEWEST * (per_s - self._per_s)
        self._looked_ms, self._finished = now_ms, finished

    def enough(self, unfinished: int, unfinished_bytes: int) -> bool:
        """Tell whether to read no more for now."""
        if not self.short or unfinished < self._least:
            return False
        return unfinished * 1000 >= self._per_s * self._ahead_ms or unfinished_bytes >= self._most_bytes
