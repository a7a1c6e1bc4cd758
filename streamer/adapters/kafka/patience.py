"""Fetches that wait at the broker until something is written, where nothing else is to be fetched meanwhile (RULES 29)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: How long the broker keeps a fetch that asks for all there is: whatever is written ends it, so that nothing comes later.
PATIENT_MS = 500


def be_patient(consumer: Any, resting: Callable[[], int] = lambda: 0) -> None:
    """Let a started aiokafka consumer wait long where it may; ``resting`` tells how many partitions are paused for good.

    A node has one fetch at a time. While one waits that leaves a partition out, because of records that nobody has taken yet
    or a pause, that partition is not read on, however soon it could be: such a fetch keeps the consumer's own, short wait.
    """
    fetcher = consumer._fetcher
    ask = fetcher._get_actions_per_node

    def ask_patiently(assignment: Any) -> Any:
        fetches, _, _, leaderless, paused = actions = ask(assignment)
        if not fetcher._records and not leaderless and len(paused) == resting():
            for _, fetch in fetches:
                fetch._max_wait_ms = PATIENT_MS
        return actions

    fetcher._get_actions_per_node = ask_patiently
