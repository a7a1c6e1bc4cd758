"""Answers that come together pass a few at a time, in order, and one that comes alone waits for nothing."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from streamer.flow.turnstile import Turnstile


async def cross(turnstile: Turnstile, number: int, passed: list[int]) -> None:
    """Pass, and tell by whom it was done."""
    if (turn := turnstile.enter()) is not None:
        await turn
    passed.append(number)


async def rounds(passed: list[int], number: int) -> list[int]:
    """Return how many have passed after each round of the loop, until that is ``number``."""
    found = [0]
    while found[-1] < number:
        await asyncio.sleep(0)
        found.append(len(passed))
    return found


async def test_one_alone_waits_for_nothing() -> None:
    """The usual case costs no round of the loop, however often it comes."""
    turnstile = Turnstile(2)
    for _ in range(5):
        assert turnstile.enter() is None
        await asyncio.sleep(0)


async def test_a_crowd_passes_a_few_in_each_round_and_in_order() -> None:
    """No round has more than its share, whoever comes meanwhile, and nobody is overtaken."""
    turnstile, passed = Turnstile(3), list[int]()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(cross(turnstile, number, passed))
        await asyncio.sleep(0)
        for number in range(10, 20):
            tasks.create_task(cross(turnstile, number, passed))
        found = await rounds(passed, 20)
    assert passed == [*range(20)]
    assert max(later - earlier for earlier, later in pairwise(found)) <= 3


async def test_one_that_gives_up_takes_nobodys_place() -> None:
    """Those behind it pass as if it had not been there."""
    turnstile, passed = Turnstile(1), list[int]()
    async with asyncio.timeout(30):
        tasks = [asyncio.create_task(cross(turnstile, number, passed)) for number in range(6)]
        await asyncio.sleep(0)
        for task in tasks[2:4]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert passed == [0, 1, 4, 5]


async def test_it_is_free_again_after_a_crowd() -> None:
    """Whoever comes later passes at once."""
    turnstile, passed = Turnstile(2), list[int]()
    async with asyncio.timeout(30):
        await asyncio.gather(*(cross(turnstile, number, passed) for number in range(7)))
        for _ in range(2):
            await asyncio.sleep(0)
    assert turnstile.enter() is None
