"""What an attempt's end says of the target's health.

Must not know what the task makes of it, nor what follows for the lane.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from streamer.core.outcome import ErrorType, Failure, Response


class Health(StrEnum):
    """What the target showed.

    NEUTRAL is an answer that is no success and no fault of the target's: it is alive, and refuses this one task.
    LIMITED is alive too, and asks for less. NONE says nothing of it: nothing was sent.
    """

    OK = "ok"
    FAILED = "failed"
    CONNECT_FAILED = "connect_failed"
    LIMITED = "limited"
    NEUTRAL = "neutral"
    NONE = "none"


#: What a breaker counts; all others but NONE show that the target answers.
FAILURES = frozenset({Health.FAILED, Health.CONNECT_FAILED})

_BY_FAILURE = MappingProxyType(
    {
        ErrorType.DNS: Health.CONNECT_FAILED,
        ErrorType.CONNECT: Health.CONNECT_FAILED,
        ErrorType.TLS: Health.CONNECT_FAILED,
        ErrorType.CONNECT_TIMEOUT: Health.CONNECT_FAILED,
        ErrorType.FIRST_BYTE_TIMEOUT: Health.FAILED,
        ErrorType.READ_TIMEOUT: Health.FAILED,
        ErrorType.TOTAL_TIMEOUT: Health.FAILED,
        ErrorType.UNKNOWN: Health.FAILED,
        ErrorType.CREDENTIALS: Health.NONE,
        ErrorType.BLOCKED: Health.NONE,
    }
)


def health_of(end: Response | Failure) -> Health:
    """Judge the target by status or failure alone; a task's own success codes say nothing of the target."""
    if isinstance(end, Failure):
        return _BY_FAILURE.get(end.error, Health.FAILED)
    if 200 <= end.status <= 299:
        return Health.OK
    if end.status == 429:
        return Health.LIMITED
    # An interim status or an unknown class is as much the peer's fault as a 5xx.
    return Health.NEUTRAL if 300 <= end.status <= 499 else Health.FAILED
