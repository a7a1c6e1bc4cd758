"""The targets of a simulation: how long calls take and how they end, as the plan has it for the moment."""

from __future__ import annotations

import random
from collections import defaultdict, deque

from streamer.core.health import Health
from tests.core.samples import NOW_MS
from tests.simulation.lanes_plan import Domain, Manner


class Targets:
    """Answers calls; one that takes so many a second counts those it has taken."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance
        self._taken: defaultdict[str, deque[int]] = defaultdict(deque)

    def answer(self, domain: Domain, now_ms: int) -> tuple[int, Health, int | None]:
        """Return how long a call that begins now takes, what it says of the target, and the pause it asks for."""
        manner = domain.manner(now_ms - NOW_MS)
        took_ms = self._random.randint(*manner.service_ms)
        if manner.dead:
            return took_ms, Health.CONNECT_FAILED if took_ms < 1_000 else Health.FAILED, None
        if manner.most_per_s is not None and self._too_many(domain, manner, now_ms):
            return took_ms, Health.LIMITED, manner.retry_after_ms
        return took_ms, Health.FAILED if self._random.random() < manner.failing else Health.OK, None

    def _too_many(self, domain: Domain, manner: Manner, now_ms: int) -> bool:
        taken = self._taken[domain.name]
        while taken and taken[0] <= now_ms - 1_000:
            taken.popleft()
        if len(taken) >= (manner.most_per_s or 0):
            return True
        taken.append(now_ms)
        return False
