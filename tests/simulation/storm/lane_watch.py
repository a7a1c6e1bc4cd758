"""What the oracle knows of one lane: its rate over every window, its calls, and what its target has asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.core.health import FAILURES, Health
from streamer.core.policy import BreakerPolicy, LaneLimits
from tests.simulation.lanes_oracle import Shaper
from tests.simulation.storm.rules import Rule

#: A lane without a call for so long need not know its last answers any more.
FORGOTTEN_AFTER_MS = 60_000


@dataclass(slots=True)
class BreakerWatch:
    """The least that any breaker must do, by the answers of one owner: after a row of failures nobody calls for a while.

    Answers to calls from before it opened say nothing; what is answered after that decides anew. A lane that has failed
    before may take up to four times the row, as the breaker of one that fails half of its calls does.
    """

    row: int = 0
    failed_before: bool = False
    connect_row: int = 0
    successes: int = 0
    until_ms: float = -1.0

    def answered(self, health: Health, begun_ms: float, now_ms: float, policy: BreakerPolicy) -> None:
        """Note an answer."""
        if self.until_ms >= 0:
            self._probed(health, begun_ms, now_ms, policy)
        elif health is not Health.NONE:
            self.failed_before |= self.row > 0 and health not in FAILURES
            self.row = self.row + 1 if health in FAILURES else 0
            self.connect_row = self.connect_row + 1 if health is Health.CONNECT_FAILED else 0
            times = 4 if self.failed_before else 1
            if self.row >= times * policy.failures_in_row or self.connect_row >= times * policy.connect_failures_in_row:
                self._open(now_ms, policy)

    def _probed(self, health: Health, begun_ms: float, now_ms: float, policy: BreakerPolicy) -> None:
        if begun_ms < self.until_ms or health is Health.NONE:
            return
        if health in FAILURES:
            self._open(now_ms, policy)
        else:
            self.successes += 1
            if self.successes >= policy.successes_to_close:
                self.row, self.connect_row, self.failed_before, self.until_ms = 0, 0, False, -1.0

    def _open(self, now_ms: float, policy: BreakerPolicy) -> None:
        # In whole ms, as the product's clock counts.
        self.successes, self.until_ms = 0, int(now_ms) + policy.open_ms


@dataclass(slots=True)
class LaneWatch:
    """A lane under its limits. The rate goes on over all owners; what else is learned may be lost with one."""

    limits: LaneLimits
    shaper: Shaper | None = None
    owner: object = None
    running: int = 0
    paused_until_ms: float = 0.0
    #: When something was last learned: who begins in the same instant may have begun before.
    learned_ms: float = -1.0
    breaker: BreakerWatch = field(default_factory=BreakerWatch)

    def __post_init__(self) -> None:
        if self.limits.rate is not None:
            self.shaper = Shaper(self.limits.rate, self.limits.burst)

    def began(self, owner: object, now_ms: float) -> Rule | None:
        """Judge a call that begins."""
        self._of(owner)
        if now_ms - self.learned_ms > FORGOTTEN_AFTER_MS and not self.running:
            # A lane that is idle may be forgotten, and its row of failures with it.
            self.breaker = BreakerWatch()
        self.running += 1
        if self.shaper is not None and not self.shaper.takes(now_ms):
            return Rule.RATE
        if self.running > self.limits.concurrency:
            return Rule.CROWDED
        if now_ms == self.learned_ms:
            return None
        if now_ms < self.paused_until_ms:
            return Rule.PAUSE
        return Rule.BREAKER if now_ms < self.breaker.until_ms else None

    def ended(self, owner: object, begun_ms: float, now_ms: float, health: Health | None, pause_ms: int | None) -> None:
        """Note how a call ended; no health: nobody learned it."""
        if owner is not self.owner:
            return
        self.running -= 1
        self.learned_ms = now_ms
        if health is not None and self.limits.shards == 1:
            # A shard's breaker is opened by what other shards have learned, too.
            self.breaker.answered(health, begun_ms, now_ms, self.limits.breaker)
        if pause_ms is not None:
            self.paused_until_ms = max(self.paused_until_ms, int(now_ms) + pause_ms)

    def _of(self, owner: object) -> None:
        if owner is not self.owner:
            self.owner, self.running = owner, 0
            self.paused_until_ms, self.breaker = 0.0, BreakerWatch()
