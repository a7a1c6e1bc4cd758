"""Fits a worker's calls to the files and sockets that the system lets its process have."""

from __future__ import annotations

import logging

from streamer.adapters.open_files import allow_open_files
from streamer.settings.model import Settings

log = logging.getLogger(__name__)

#: Connections to Kafka, stores, logs, and room for more partitions.
_OTHER_FILES = 1_000


def fit_open_files(settings: Settings) -> Settings:
    """Raise this process's limit, and return settings with fewer calls at once where the system does not allow it.

    A call beyond the limit would fail as if its target could not be reached, and use up an attempt for a want of ours; one
    that waits its turn uses up none. No connection is kept idle then: of many domains that were called a moment ago there
    are more than any bound.
    """
    worker, http = settings.worker, settings.http
    wanted = worker.max_in_flight + http.idle_total + _OTHER_FILES
    allowed = allow_open_files(wanted)
    if allowed >= wanted:
        return settings
    calls = fitting(allowed, worker.max_in_flight)
    log.warning(
        "this process may have %s files and sockets open, and may need %s: it makes at most %s calls at once and keeps no "
        "connection between calls; raise the system's limit (ulimit -n, LimitNOFILE=), or lower worker.max_in_flight or "
        "http.idle_total",
        *(allowed, wanted, calls),
    )
    fewer = {"max_in_flight": calls, "domain_concurrency": min(calls, worker.domain_concurrency)}
    none = {"idle_per_domain": 0, "idle_total": 0}
    return settings.model_copy(update={"worker": worker.model_copy(update=fewer), "http": http.model_copy(update=none)})


def fitting(allowed: int, calls: int) -> int:
    """Return how many calls at once fit.

    Others get what is left: all that they may need, or half of the limit.
    """
    return max(1, min(calls, max(allowed - _OTHER_FILES, allowed // 2)))
