"""How a machine that keeps instants follows a wall clock that is set back.

Must not know what the instants mean.
"""

from __future__ import annotations

#: Less than this is no step: callers round an instant, or took it a moment before another one.
JITTER_MS = 1_000


def step_back_ms(seen_ms: float, now_ms: float) -> float:
    """Return by how much instants that were set before must move back, 0 when the clock was not set back.

    Without it a clock that is set back by an hour would make everybody wait an hour longer. Jitter moves nothing:
    the debt of a limiter would leak away by a little with each call.
    """
    behind_ms = seen_ms - now_ms
    return behind_ms if behind_ms > JITTER_MS else 0.0
