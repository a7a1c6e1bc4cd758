"""What the settings say as a policy: it stands below every record on `config`."""

from __future__ import annotations

from streamer.core.policy import BreakerPolicy, Policy
from streamer.settings.lanes import Breaker
from streamer.settings.model import Settings


def lane_defaults(settings: Settings) -> Policy:
    """Return what holds for a lane where no record says otherwise."""
    return Policy(
        rate=settings.lanes.rate,
        burst=settings.lanes.burst,
        concurrency=settings.worker.domain_concurrency,
        breaker=breaker_policy(settings.lanes.breaker),
    )


def breaker_policy(breaker: Breaker) -> BreakerPolicy:
    """Return the breaker of a lane that has none of its own."""
    return BreakerPolicy(
        failures_in_row=breaker.failures_in_row,
        connect_failures_in_row=breaker.connect_failures_in_row,
        share=breaker.share,
        least_calls=breaker.least_calls,
        window_ms=breaker.window.ms,
        open_ms=breaker.open.ms,
        open_most_ms=breaker.open_most.ms,
        probes=breaker.probes,
        successes_to_close=breaker.successes_to_close,
    )
