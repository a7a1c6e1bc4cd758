"""Lanes with a clock in hand: offers, looks and ends one after the other, for tests that watch who begins."""

from __future__ import annotations

from typing import Any

from streamer.core.grant import Grant
from streamer.core.health import Health
from streamer.core.lane import Lane
from streamer.core.lane_book import LaneBook
from streamer.core.lanes import Lanes
from streamer.core.policy_book import PolicyBook
from streamer.core.put_off import Tuning
from streamer.core.rate import parse_rate
from tests.core.lane_samples import waiting
from tests.core.samples import NOW_MS


class Hand:
    """Plays the gate: items are numbers, ``running`` holds the grants of those that have begun, ``gone`` who was sent away."""

    def __init__(
        self,
        policies: PolicyBook | None = None,
        *,
        total: int = 1_000,
        rate: str | None = None,
        tuning: Tuning | None = None,
        expired: set[int] | None = None,
    ) -> None:
        self.policies = policies or PolicyBook()
        self.now_ms: float = NOW_MS
        self.book = LaneBook()
        self.running: dict[int, Grant[int]] = {}
        self.put_off: list[int] = []
        self.stale: list[int] = []
        out_of_time = expired or set()
        self.lanes: Lanes[int] = Lanes(
            lambda: self.policies,
            total,
            parse_rate(rate) if rate else None,
            tuning,
            lambda item, _: item in out_of_time,
        )

    def lane(self, domain: str = "a", shard: int = 0) -> Lane[int]:
        """Return a domain's lane."""
        return self.lanes.lane(domain, shard, self.book, self.now_ms)

    def offer(self, domain: str, *items: int, business: str = "acme", **more: Any) -> list[int]:
        """Offer items and look; return who begins."""
        for item in items:
            self.lanes.offer(self.lane(domain), waiting(item, business, arrived_ms=int(self.now_ms), **more))
        return self.look()

    def look(self) -> list[int]:
        """Look at the lanes; return who begins."""
        turn = self.lanes.turn(self.now_ms)
        self.running |= {grant.item: grant for grant in turn.begun}
        self.put_off += [item for item, _ in turn.put_off]
        self.stale += turn.stale
        return [grant.item for grant in turn.begun]

    def end(self, item: int, health: Health = Health.OK, pause_ms: int | None = None) -> list[int]:
        """End a call and look; return who begins in its place."""
        self.lanes.end(self.running.pop(item), health, self.now_ms, pause_ms)
        return self.look()

    def end_all(self, health: Health = Health.OK) -> list[int]:
        """End every call, then look."""
        for item in list(self.running):
            self.lanes.end(self.running.pop(item), health, self.now_ms)
        return self.look()

    def later(self) -> list[int]:
        """Let time pass until the lanes say that something may change, and look."""
        self.now_ms = max(self.now_ms, self.lanes.next_ms())
        return self.look()
