"""A lane's circuit breaker: whether a call may go, by how the last ones ended.

Must not know what a call is, who judged its end, nor the time; each call takes ``now_ms``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streamer.core.clock_step import step_back_ms
from streamer.core.failure_count import FailureCount
from streamer.core.health import FAILURES, Health
from streamer.core.policy import BreakerPolicy

#: A lane that closed again may have so many calls at once before its breaker bounds nothing any more.
ROOM_ENOUGH = 256


class BreakerState(StrEnum):
    """Closed lets all go, open none, half-open a few probes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send one call, given in one generation of the breaker; a probe holds one of the few places."""

    generation: int
    probe: bool


class Breaker:
    """Opens on failures, longer each time, and closes on probes that were answered.

    Each change of state begins a new ``generation``, and a permit of another one changes nothing: that answer is late.
    ``openings`` counts how often it opened without having closed for good. It has when it stayed closed for as long as it
    had last been open; only then the next opening is a short one again. ``open_until_ms`` is 0 before the first opening.
    Invariants: never more than ``policy.probes`` probes are out, and no opening lasts longer than ``policy.open_most_ms``.
    """

    __slots__ = (
        "_closed_at_ms", "_count", "_permit", "_probes_out", "_room", "_seen_ms", "_stay_ms", "_successes",
        "open_until_ms", "openings", "policy", "state",
    )  # fmt: skip

    def __init__(self, policy: BreakerPolicy) -> None:
        self.policy = policy
        self.state = BreakerState.CLOSED
        self.open_until_ms = 0.0
        self.openings = 0
        self._permit = Permit(0, probe=False)
        #: Made at the first end: most lanes that are known are idle.
        self._count: FailureCount | None = None
        self._probes_out = self._successes = 0
        self._closed_at_ms = self._stay_ms = self._seen_ms = 0.0
        self._room: int | None = None

    def __repr__(self) -> str:
        return f"<Breaker {self.state} generation={self.generation} openings={self.openings}>"

    @property
    def steady(self) -> bool:
        """Whether it is closed for good, and bounds nothing."""
        return self.state is BreakerState.CLOSED and not self.openings and self._room is None

    @property
    def generation(self) -> int:
        """The number of changes of state so far."""
        return self._permit.generation

    def ready_ms(self, now_ms: float) -> float | None:
        """Return the earliest instant at which a call may go; None while all probes are out, whose ends decide."""
        self._follow(now_ms)
        if self.state is BreakerState.CLOSED:
            return now_ms
        if self.state is BreakerState.OPEN:
            return max(now_ms, self.open_until_ms)
        return now_ms if self._probes_out < self.policy.probes else None

    def admit(self, now_ms: float) -> Permit:
        """Give leave for a call that begins now, which half-opens an open breaker whose time is over.

        ValueError unless ``ready_ms`` of the same instant is that instant.
        """
        ready_ms = self.ready_ms(now_ms)
        if self.state is BreakerState.CLOSED:
            return self._permit
        if ready_ms is None or ready_ms > now_ms:
            raise ValueError(f"no call may go at {now_ms}: {self!r} says {ready_ms}; ask ready_ms first")
        if self.state is BreakerState.OPEN:
            self._turn(BreakerState.HALF_OPEN)
        self._probes_out += 1
        return self._permit

    def ended(self, permit: Permit, health: Health, now_ms: float) -> bool:
        """Note how a call ended; True when that changed the state.

        Any answer but a 5xx ends a row of failures and counts as a probe's success: the target is alive.
        """
        self._follow(now_ms)
        if permit.generation != self.generation:
            return False
        if permit.probe:
            self._probes_out = max(0, self._probes_out - 1)
        if health is Health.NONE:
            return False
        if self.state is BreakerState.CLOSED:
            return self._counted(health, now_ms)
        if health in FAILURES:
            self._open(now_ms)
            return True
        self._successes += 1
        if self._successes < self.policy.successes_to_close:
            return False
        self._close(now_ms)
        return True

    def abandoned(self, permit: Permit) -> None:
        """Give back the place of a call that was never begun, or whose end nobody learned."""
        if permit.probe and permit.generation == self.generation:
            self._probes_out = max(0, self._probes_out - 1)

    def room(self) -> int | None:
        """Return how many calls may be out at once after it closed: 1, and 1 more with each success; None: any number.

        So what waited is let in step by step, twice as many each round trip, and never at once. Only a closed breaker
        bounds by room; the others do by ``ready_ms``.
        """
        return self._room

    def force_open(self, until_ms: float, now_ms: float) -> bool:
        """Open, or stay open for longer, because another shard's breaker opened; True when anything changed.

        The instant is another worker's, so it is bounded by our own longest opening.
        """
        self._follow(now_ms)
        until_ms = min(until_ms, now_ms + self.policy.open_most_ms)
        if until_ms <= (self.open_until_ms if self.state is BreakerState.OPEN else now_ms):
            return False
        if self.state is not BreakerState.OPEN:
            self._turn(BreakerState.OPEN)
            self.openings = max(1, self.openings)
        self.open_until_ms = until_ms
        self._stay_ms = until_ms - now_ms
        return True

    def reset(self, now_ms: float) -> None:
        """Close by an operator's word, and forget all failures; what waits is still let in step by step."""
        room = self._room if self.state is BreakerState.CLOSED else 1
        self._close(now_ms)
        self._room = room
        self.openings = 0

    def change(self, policy: BreakerPolicy) -> None:
        """Go on under another policy; an opening that lasts is cut to the new bound when next asked."""
        if policy.window_ms != self.policy.window_ms:
            self._count = None
        self.policy = policy

    def restore(self, open_until_ms: float, openings: int, now_ms: float) -> None:
        """Go on where another worker's breaker was: with openings it is open until then, and half-open after it."""
        if openings > 0:
            self._turn(BreakerState.OPEN)
            self.openings = openings
            self._stay_ms = self._stay()
            self.open_until_ms = min(open_until_ms, now_ms + self.policy.open_most_ms)

    def _counted(self, health: Health, now_ms: float) -> bool:
        if self._count is None:
            self._count = FailureCount(self.policy.window_ms)
        if self._count.add(health, self.policy, now_ms):
            self._open(now_ms)
            return True
        if self._room is not None and (health is Health.OK or health is Health.NEUTRAL):
            self._room = self._room + 1 if self._room < ROOM_ENOUGH else None
        return False

    def _open(self, now_ms: float) -> None:
        self._turn(BreakerState.OPEN)
        self.openings += 1
        self._stay_ms = self._stay()
        self.open_until_ms = now_ms + self._stay_ms

    def _close(self, now_ms: float) -> None:
        self._turn(BreakerState.CLOSED)
        self._closed_at_ms = now_ms
        self._room = 1

    def _stay(self) -> float:
        # The exponent is bounded, so that a broken record of a lane cannot make a number of a billion digits.
        doubled_ms = self.policy.open_ms * 2 ** min(self.openings - 1, 40)
        return float(min(doubled_ms, self.policy.open_most_ms))

    def _turn(self, state: BreakerState) -> None:
        self.state = state
        self._permit = Permit(self.generation + 1, probe=state is BreakerState.HALF_OPEN)
        self._count = self._room = None
        self._probes_out = self._successes = 0

    def _follow(self, now_ms: float) -> None:
        if now_ms >= self._seen_ms:
            self._seen_ms = now_ms
        elif back_ms := step_back_ms(self._seen_ms, now_ms):
            self.open_until_ms -= back_ms
            self._closed_at_ms -= back_ms
            self._seen_ms = now_ms
        if self.state is BreakerState.OPEN:
            self.open_until_ms = min(self.open_until_ms, now_ms + self.policy.open_most_ms)
        elif self.openings and self.state is BreakerState.CLOSED and now_ms - self._closed_at_ms >= self._stay_ms:
            self.openings = 0
