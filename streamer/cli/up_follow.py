"""Follows results and dead letters for `streamer up`, and counts what it saw."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field

from streamer.adapters.kafka.log_reader import Span, read_log
from streamer.cli.cluster import Installation
from streamer.cli.letter_text import line_of
from streamer.cli.letters import read_letters
from streamer.cli.up_voice import Voice
from streamer.wire.result_mask import masked_result
from streamer.wire.result_record import decode_result
from streamer.wire.unreadable import UnreadableRecord


@dataclass(slots=True)
class Following:
    """Says each result and dead letter from an instant on, until it is cancelled."""

    place: Installation
    voice: Voice
    since_ms: int
    seen: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Follow both topics."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._results())
            both.create_task(self._letters())

    def summary(self) -> list[str]:
        """Return what was seen, a few words for each kind."""
        names = {
            "delivered": "delivered",
            "again": "attempts failed and tried again",
            "dead_letter": "dead letters",
            "other": "other results",
        }
        return [f"{self.seen[name]} {words}" for name, words in names.items() if self.seen[name]]

    @property
    def _span(self) -> Span:
        return Span(since_ms=self.since_ms, follow=True)

    async def _results(self) -> None:
        async with aclosing(read_log(self.place.options, self.place.topics.results, self._span)) as records:
            async for record in records:
                try:
                    result = masked_result(decode_result(record.value), self.place.masking)
                except UnreadableRecord:
                    # Somebody else's record on our topic: nothing that a demo could explain.
                    continue
                if result["outcome"] == "success":
                    self.seen["delivered"] += 1
                elif result.get("attempt") and not result.get("final"):
                    self.seen["again"] += 1
                elif not result.get("final"):
                    self.seen["other"] += 1
                self.voice.result(result)

    async def _letters(self) -> None:
        async with aclosing(read_letters(self.place, self._span)) as letters:
            async for letter in letters:
                self.seen["dead_letter"] += 1
                self.voice.dead_letter(letter.place, line_of(letter))
