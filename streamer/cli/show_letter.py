"""Finds the dead letters that `dead-letters show` names: those of a task, or the one at a place."""

from __future__ import annotations

import re
from contextlib import aclosing

from streamer.adapters.kafka.log_reader import EVERYTHING, Span
from streamer.cli.cluster import Installation
from streamer.cli.letters import History, Letter, learn, read_letters

_PLACE = re.compile(r"([0-9]{1,9}):([0-9]{1,18})\Z")


async def find(place: Installation, which: str) -> list[tuple[Letter, str | None]]:
    """Return the dead letters, oldest first, each with what became of its task since; none when there is none."""
    match = _PLACE.match(which)
    found = await _at(place, int(match[1]), int(match[2])) if match else await _of(place, which)
    history = History()
    for letter in found:
        if letter.task_id is not None:
            history.saw(letter.task_id, letter.generation)
    await learn(place, {letter.task_id for letter in found if letter.task_id is not None}, history)
    return [
        (letter, None if letter.task_id is None else history.why_not(letter.task_id, letter.generation))
        for letter in found
    ]


async def _at(place: Installation, partition: int, offset: int) -> list[Letter]:
    async with aclosing(read_letters(place, Span(offsets={partition: offset}))) as letters:
        async for letter in letters:
            # Retention may have taken it: the first that is left then stands behind it.
            return [letter] if letter.offset == offset else []
    return []


async def _of(place: Installation, task_id: str) -> list[Letter]:
    async with aclosing(read_letters(place, EVERYTHING)) as letters:
        return [letter async for letter in letters if letter.task_id == task_id]
