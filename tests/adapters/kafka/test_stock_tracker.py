"""Why offsets are tracked by a window of ours: Faust's own tracker does not hold what the window's model asks."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest
from aiokafka import TopicPartition
from faust.transport.consumer import Consumer
from intervaltree import IntervalTree  # type: ignore[import-untyped]

TP = TopicPartition("t", 0)
RECORDS = 2_000


class _Stock:
    """What `Consumer._new_offset` reads and writes, and nothing of the rest."""

    def __init__(self) -> None:
        self._acked: dict[TopicPartition, list[int]] = defaultdict(list)
        self._acked_index: dict[TopicPartition, set[int]] = defaultdict(set)
        self._gap: dict[TopicPartition, IntervalTree] = defaultdict(IntervalTree)
        self._committed_offset: dict[TopicPartition, int | None] = {TP: None}

    def ack(self, offset: int) -> None:
        self._acked[TP].append(offset)
        self._acked_index[TP].add(offset)

    def commit(self) -> int | None:
        offset: int | None = Consumer._new_offset(self, TP)
        if offset is not None:
            self._committed_offset[TP] = offset
        return offset


def passed_unfinished(in_flight: int) -> int:
    """Finish records in an order by chance, so many at once in flight; count the commits beyond an unfinished one."""
    chance, stock = random.Random(in_flight), _Stock()
    unfinished, following, beyond = list(range(in_flight)), in_flight, 0
    for _ in range(RECORDS):
        stock.ack(unfinished.pop(chance.randrange(len(unfinished))))
        unfinished.append(following)
        following += 1
        offset = stock.commit()
        beyond += offset is not None and offset > min(unfinished)
    return beyond


def test_one_at_a_time_is_well_tracked() -> None:
    """The stock tracker is right as long as nothing overtakes."""
    assert passed_unfinished(1) == 0


@pytest.mark.xfail(
    strict=True, reason="faust-streaming commits past records in flight; once this passes, ask for its tracker again"
)
@pytest.mark.parametrize("in_flight", [2, 4, 16, 64])
def test_the_stock_tracker_never_commits_past_an_unfinished_record(in_flight: int) -> None:
    """The window's first invariant, asked of Faust's own class (its issue 606)."""
    assert passed_unfinished(in_flight) == 0
