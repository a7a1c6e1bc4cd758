"""What production mode refuses in the settings: what is handy on one machine and harms on a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from streamer.settings.model import Settings
from streamer.wire.topics import LEAST_REPLICAS, OUTAGE_MS


def unsafe(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each setting that is unsafe, where the mode is production."""
    if settings.mode != "production":
        return
    topics = settings.topics
    if settings.http.allow_private:
        yield (
            "http.allow_private (true) must be false in production mode: anybody who may write a request could call what only "
            "this network reaches. Name what may be called in http.allow_cidrs or http.allow_hosts"
        )
    if topics.replication < LEAST_REPLICAS:
        yield (
            f"topics.replication ({topics.replication}) must be at least {LEAST_REPLICAS} in production mode: with fewer a broker "
            "that is lost takes accepted tasks with it, or stops all"
        )
    margin = topics.retention.tier_margin
    if margin.ms < OUTAGE_MS:
        yield (
            f"topics.retention.tier_margin ({margin}) must be at least 7d in production mode: a task that waits is deleted when an "
            "outage lasts longer"
        )
