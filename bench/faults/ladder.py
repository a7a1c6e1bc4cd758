"""The case of the ladder: targets that fail in every way, and the tiers that each failure must lead to (RELIABILITY §7 C8)."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from bench.faults.case import Case, Finding, Scale
from bench.faults.failures import FATAL, STEPS, Step
from bench.faults.ground import Ground
from bench.faults.shown import found
from bench.faults.stage import Setting, Stage, stage
from bench.report import Shown
from streamer.adapters.demo.exchange import Answer, Arrival
from streamer.adapters.demo.server import Server
from streamer.wire.dead_letter_record import DeadLetter, decode_dead_letter
from streamer.wire.header_names import TASK
from tests.support.topic_log import topic_log

_TIMEOUT_MS = 700
_LATE_S = 3.0
#: Longer than the longest wait between two attempts of the stories.
_END_S = 150.0
#: The breaker stays out of it: what is looked at is what each failure leads to by itself.
_SETTINGS: Mapping[str, str | int | float | bool] = {
    "lanes.breaker.failures_in_row": 1_000,
    "lanes.breaker.connect_failures_in_row": 1_000,
    "lanes.breaker.least_calls": 1_000,
    "lanes.retry_after_cap": "6s",
    "retry.max_retries_cap": 20,
}


@dataclass(slots=True)
class Story:
    """One task on a domain of its own: its failures in their order, and how the last attempt is answered."""

    steps: Sequence[Step]
    last: int
    reason: str
    calls: list[Arrival] = field(default_factory=list)

    def respond(self, arrival: Arrival) -> Answer:
        """Answer the next call by the next step."""
        self.calls.append(arrival)
        number = len(self.calls) - 1
        return self.steps[number].said() if number < len(self.steps) else Answer(self.last)

    @property
    def tiers(self) -> list[str]:
        """Return the tiers that the task must stand on, one after the other."""
        return [tier for step in self.steps for tier in step.tiers]

    def wrong(self, tiers: Sequence[str], letters: Sequence[DeadLetter], attempts: Sequence[int]) -> list[str]:
        """Return what is not as it must be."""
        numbers = list(range(1, len(self.steps) + 2))
        sent = [int(call.header("X-Streamer-Attempt") or 0) for call in self.calls]
        gaps_s = [(later.at_ns - earlier.at_ns) / 1e9 for earlier, later in pairwise(self.calls)]
        facts = {
            f"tiers {' '.join(tiers)} in place of {' '.join(self.tiers)}": list(tiers) == self.tiers,
            f"attempts {sent} on the wire, {list(attempts)} told": sent == numbers == list(attempts),
            f"dead letters {[letter.reason for letter in letters]} in place of {self.reason}": (
                [letter.reason for letter in letters] == [self.reason]
            ),
        }
        for step, gap_s in zip(self.steps, gaps_s, strict=False):
            facts[f"{gap_s:.2f} s after {step.name}, {step.least_s:g} and a little expected"] = (
                step.least_s <= gap_s < step.least_s + _TIMEOUT_MS / 1000 + _LATE_S
            )
        return [fact for fact, holds in facts.items() if not holds]


async def ladder(ground: Ground, scale: Scale) -> Finding:
    """Let tasks fail in all ways, each in an order of its own, and compare where they waited with what was due."""
    chance = random.Random(ground.seed)
    mixed = 40 if scale is Scale.FULL else 4
    stories = [Story(chance.sample(STEPS, len(STEPS)), 500, "exhausted") for _ in range(mixed)]
    stories += [Story(STEPS[:1], status, reason) for status, reason in FATAL.items()]
    async with (
        stage(ground, Setting(1, settings=_SETTINGS)) as made,
        _targets(stories) as urls,
        _tier_log(made) as stood,
    ):
        tasks = await made.publish(
            {"url": url, "timeout_ms": _TIMEOUT_MS, "retry": {"intervals": [step.interval for step in story.steps]}}
            for url, story in zip(urls, stories, strict=True)
        )
        await made.results.until_ended(made.told, made.accepted, _END_S)  # type: ignore[arg-type]
        tiers = await stood()
        letters = await _letters(made)
    wrong = []
    for task, story in zip(tasks, stories, strict=True):
        attempts = [
            result["attempt"] for result in made.told.items if result["task_id"] == task and "started_at" in result
        ]
        wrong += story.wrong(tiers[task], letters[task], attempts)
    told = [f"{len(stories)} tasks, {mixed} of them with {len(STEPS)} failures in an order of their own"]
    shown = [Shown(each, holds=False) for each in wrong]
    hops = sum(map(len, tiers.values()))
    called = sum(len(story.calls) for story in stories)
    figures = {"tasks": len(stories), "calls": called, "hops": hops, "wrong": wrong}
    told += [f"{called} calls", f"{hops} waits on tiers", f"not as expected: {len(wrong)}"]
    return found(told, shown, figures, applied=all(len(story.calls) > 1 for story in stories))


@asynccontextmanager
async def _targets(stories: Sequence[Story]) -> AsyncIterator[list[str]]:
    """Serve each story on a port of its own: a pause of one domain would be felt by the others."""
    async with AsyncExitStack() as stack:
        urls = []
        for story in stories:
            server = Server(story.respond)
            urls.append(await server.start())
            stack.push_async_callback(server.stop)
        yield urls


@asynccontextmanager
async def _tier_log(made: Stage) -> AsyncIterator[Any]:
    """Follow all tiers; yields what returns each task's tiers in the order in which it stood on them."""
    topics = made.place.topics
    async with AsyncExitStack() as stack:
        logs = {
            tier: await stack.enter_async_context(
                topic_log(made.place.bootstrap, topic, made.place.partitions, lambda record: (record.timestamp, record))
            )
            for tier, topic in topics.retries.items()
        }

        async def stood() -> Mapping[str, list[str]]:
            read = await asyncio.gather(*[log.to_end() for log in logs.values()])
            found_: dict[str, list[tuple[int, str]]] = defaultdict(list)
            for tier, items in zip(logs, read, strict=True):
                for at_ms, record in items:
                    found_[(dict(record.headers).get(TASK) or b"").decode()].append((at_ms, tier))
            return defaultdict(list, {task: [tier for _, tier in sorted(each)] for task, each in found_.items()})

        yield stood


async def _letters(made: Stage) -> Mapping[str, list[DeadLetter]]:
    place, by_task = made.place, defaultdict(list)
    topic = place.topics.dead_letter
    async with topic_log(place.bootstrap, topic, place.partitions, lambda r: decode_dead_letter(r.value)) as log:
        for letter in await log.to_end():
            by_task[letter.task_id or ""].append(letter)
    return by_task


LADDER = (
    Case(
        "C8",
        "12 failures of every kind in any order, Retry-After in all forms; what must not be tried again",
        "the expected tiers, attempts and reasons, one by one",
        ladder,
    ),
)
