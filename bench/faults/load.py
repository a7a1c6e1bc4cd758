"""Work at a steady rate while faults are made: an open loop, so that a stall of ours makes a backlog and no rest."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from bench.faults.writer import patient_writer
from bench.ledgers import Accepted
from bench.publish import open_loop
from tests.support.installation import Installation
from tests.support.topic_log import topic_log

_BODY = "x" * 250


@dataclass(frozen=True, slots=True)
class Load:
    """How much work, for how long, on how many workers.

    Domains are chosen by a Zipf law. A tenth of the tasks fail once and are tried again, a twentieth fail for good, a tenth
    bring an id of their own.
    """

    seconds: float
    rate_per_s: float = 200.0
    workers: int = 3
    domains: int = 40
    #: Settings of the workers that are not those of every run.
    settings: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    #: The exponent of that law; 0 makes all domains alike.
    skew: float = 1.0
    #: What the workers' environment has besides.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Fields of each request, in place of its own.
    fields: Mapping[str, Any] = field(default_factory=dict)
    #: The path of every request, which chooses its answers, in place of that mixture.
    path: str = ""
    #: How long receivers take to answer, where a request is for no other answer.
    answer_ms: int = 0
    #: The URLs at which workers shall call the receivers, from their own.
    via: Callable[[Sequence[str]], Awaitable[Sequence[str]]] | None = None
    #: Whether each worker is a static member of its groups.
    static: bool = False
    #: How long the rest may take once everything is healed: the longest tier that is used, and a minute.
    quiesce_s: float = 90.0

    def flags(self, name: str) -> tuple[str, ...]:
        """Return the flags of a worker."""
        return ("--instance-id", f"member-{name}") if self.static else ()

    @property
    def tasks(self) -> int:
        """How many tasks come of it, about."""
        return round(self.seconds * self.rate_per_s)


async def send(place: Installation, load: Load, urls: Sequence[str], accepted: Accepted, seed: int) -> Collection[int]:
    """Append requests at the load's rate, and note those that the broker acknowledged.

    Returns the numbers of those that it may have or not: no answer came. Each record's key is its number.
    """
    chance = random.Random(seed)
    weights = list(accumulate(1 / rank**load.skew for rank in range(1, len(urls) + 1)))
    unknown: set[int] = set()
    urls = await load.via(urls) if load.via else urls
    async with patient_writer(place.bootstrap) as writer:

        async def one(number: int) -> None:
            url, share = chance.choices(urls, cum_weights=weights)[0], chance.random()
            request = {**_request(number, url, share, load.answer_ms), **load.fields}
            if load.path:
                request["url"] = f"{url}/{load.path}?{number}"
            metadata = await writer.append(place.topics.requests, str(number).encode(), json.dumps(request).encode())
            if metadata is None:
                unknown.add(number)
            else:
                accepted.add(metadata, request.get("id"))

        await open_loop(one, load.rate_per_s, load.seconds)
    return unknown


async def accept_found(place: Installation, unknown: Collection[int], accepted: Accepted) -> int:
    """Count as accepted whatever of the unanswered records stands on the topic; return how many do."""
    found = 0

    def take(record: Any) -> None:
        nonlocal found
        if int(record.key) in unknown:
            accepted.add(record, json.loads(record.value).get("id"))
            found += 1

    if unknown:
        async with topic_log(place.bootstrap, place.topics.requests, place.partitions, take) as log:
            await log.to_end()
    return found


def _request(number: int, url: str, share: float, answer_ms: int) -> dict[str, Any]:
    # By chance and not in turns: failures in a row would open the breaker of a busy domain.
    if share < 0.1:
        return {"url": f"{url}/fail/1/503", "body": _BODY, "retry": {"intervals": ["1s", "2s"]}}
    if share < 0.15:
        return {"url": f"{url}/status/400", "body": _BODY}
    own = {"id": f"own-{number}"} if share < 0.25 else {}
    path = f"delay/{answer_ms}?{number}" if answer_ms else number
    return {"url": f"{url}/{path}", "body": _BODY, **own}
