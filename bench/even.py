"""Domains evenly over partitions, and over workers that share them: what a hash's luck would do to a figure, it does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

from streamer.core.partitioning import partition_of


def evenly(lane_of: Callable[[int], str], domains: int, partitions: int) -> list[int]:
    """Return the lowest numbers whose lanes give every partition the same share.

    Where domains remain, the partitions that have one more are as far from each other as they can be: half of them among
    the first half, half among those with an even number.
    """
    every, rest = divmod(domains, partitions)
    more = set(_far_apart(range(partitions))[:rest])
    free = [every + (partition in more) for partition in range(partitions)]
    chosen: list[int] = []
    for number in count():
        if len(chosen) == domains:
            break
        partition = partition_of(lane_of(number), partitions)
        if free[partition]:
            free[partition] -= 1
            chosen.append(number)
    return chosen


def _far_apart(numbers: Sequence[int]) -> list[int]:
    if len(numbers) < 2:
        return list(numbers)
    middle = len(numbers) // 2
    lower, upper = _far_apart(numbers[:middle]), _far_apart(numbers[middle:])
    # The upper half is the longer one of an odd number.
    return [number for pair in zip(lower, upper, strict=False) for number in pair] + upper[len(lower) :]
