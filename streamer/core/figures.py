"""What people see of a lane: figures for the ``lanes`` topic, a second old at most.

Must not know how they are written.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """One lane's figures at ``at_ms``; None of them matters to a decision.

    ``gone`` tells that the lane is idle and its figures are to be removed. ``rate_used_per_s`` counts calls begun over the
    last ten seconds, ``rate_allowed_per_s`` is None without a rate. ``open_tasks`` counts every task of the lane that has
    not ended, wherever it waits. ``oldest_waiting_ms`` is the age of the oldest in the lane's queue. Instants are epoch
    ms, 0 for none; the latencies are of the last calls, None where there were none.
    """

    lane: str
    shard: int
    at_ms: int
    gone: bool = False
    rate_used_per_s: float = 0.0
    rate_allowed_per_s: float | None = None
    concurrency: int = 0
    in_flight: int = 0
    queue: int = 0
    queue_limit: int = 0
    open_tasks: int = 0
    breaker: str = "closed"
    open_until_ms: int = 0
    paused_until_ms: int = 0
    paused_by: str | None = None
    promised_until_ms: int = 0
    oldest_waiting_ms: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    worker: str = ""
