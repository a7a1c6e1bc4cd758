"""Which partitions are read on: not those with a full window, and none while the process has read more than it can do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Set

from faust.types import TP

from streamer.core.read_ahead import ReadAhead
from streamer.core.window import Window
from streamer.flow.owned import Owned
from streamer.ports import Meter

#: With so much decided and not yet written a partition is not read on.
_MOST_SETTLING = 1_000
_CONTROL = "control"


class Reading:
    """Withholds partitions from being fetched; control is never withheld (RULES 15)."""

    def __init__(self, sources: Mapping[str, str], busy: Callable[[], float], meter: Meter) -> None:
        """Prepare; ``busy`` tells which share of the time since it was last asked the process could have run in."""
        self._sources = sources
        self._busy = busy
        self._meter = meter
        self._ahead = ReadAhead()

    def withheld(self, active: Set[TP], windows: Mapping[TP, Window], owned: Mapping[int, Owned]) -> set[TP]:
        """Return those of the partitions that shall not be fetched for now."""
        enough = self._enough(windows)
        held = set()
        for tp in active:
            window, own = windows.get(tp), owned.get(tp.partition)
            if window is None or own is None or self._sources[tp.topic] == _CONTROL:
                continue
            if enough or window.full or own.settling >= _MOST_SETTLING:
                held.add(tp)
        return held

    def _enough(self, windows: Mapping[TP, Window]) -> bool:
        ahead, now_ms = self._ahead, time.monotonic() * 1000
        if ahead.due(now_ms):
            ahead.look(now_ms, self._busy(), sum(window.finished for window in windows.values()))
        if not ahead.short:
            return False
        unfinished = sum(window.unfinished for window in windows.values())
        enough = ahead.enough(unfinished, sum(window.unfinished_bytes for window in windows.values()))
        if enough:
            self._meter.count("reads_withheld")
        return enough
