"""How long a lane lets work wait in its queue, and the deferral of what does not fit.

Must not know lanes.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from streamer.core.delivery import Why


class PutOff(Struct, frozen=True, gc=False):
    """A deferral decided: until when and why; ``promise_ms`` is the slot that the lane has promised, if it has."""

    why: Why
    due_at_ms: int
    promise_ms: int | None
    waits: int


@dataclass(frozen=True, slots=True)
class Tuning:
    """How long a lane lets work wait in its queue, and how it puts the rest off.

    The queue holds what the lane can do in ``queue_ms`` (RULES 22). A lane without a rate, which may be slow for no
    reason but our own load, may hold ``slack`` times as much while its partition's window has room for it. A promised
    slot is kept by coming back ``lead_ms`` before it, so that a slot is not lost to a late hop. Beyond ``horizon_ms`` no
    slot is promised; times are spread over its second half (RULES 9). While nothing is known of a target, ``unmeasured``
    may wait. The ways of two calls to their target may differ by ``way_ms`` without breaking its rate there.
    """

    horizon_ms: int = 600_000
    queue_ms: int = 5_000
    slack: int = 6
    lead_ms: int = 2_000
    first_wait_ms: int = 5_000
    unmeasured: int = 1_000
    way_ms: float = 100.0
    most_waiting: int = 10_000
    most_bytes: int = 8 * 1024 * 1024

    def longer(self, why: Why, waits: int, spread: float, now_ms: float) -> PutOff:
        """Return a wait for what nobody knows the end of: twice as long as the one before, up to the horizon.

        ``spread`` from [0, 1) places it around that, since what was put off together shall not come back together.
        """
        wait_ms = min(self.first_wait_ms << min(waits, 20), self.horizon_ms)
        return PutOff(why, round(now_ms + wait_ms * (0.75 + spread / 2)), None, waits + 1)
