"""How often each task has been put off, by what ``results`` tells."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import Any

from tests.support.topic_log import TopicLog

_DEFERRED = b'"outcome":"deferred"'
_LANE = re.compile(rb'"lane":"([^"]+)"')


class Waits:
    """The deferrals of each lane's tasks, counted as far as the topic was read."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_lane: dict[str, Counter[str]] = defaultdict(Counter)

    def take(self, record: Any) -> None:
        """Read one record, as text: JSON of some hundred thousand results would take the workers' time."""
        if _DEFERRED in record.value and (lane := _LANE.search(record.value)) is not None:
            self._by_lane[lane[1].decode()][record.key.decode()] += 1

    async def of(self, lane: str, log: TopicLog[None]) -> Counter[str]:
        """Return how often each task of a lane has been put off up to now."""
        await log.to_end()
        return self._by_lane[lane]
