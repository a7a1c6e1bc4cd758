"""What a request record may ask for, and what it gets when it does not say: plain values, from settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.core.request import Backoff, RetryPolicy

YEAR_MS = 365 * 86_400_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's limits and defaults for request records.

    ``record_bytes`` bounds the value as it comes, base64 and escapes included; ``body_bytes`` the body that
    goes out. ``horizon_ms`` bounds any wait a record asks for. ``backoff`` fills in what a record's own
    backoff leaves out, with ``backoff_attempts`` when it does not say how many.
    """

    body_bytes: int = 1_048_576
    record_bytes: int = 4_194_304
    timeout_ms: int = 30_000
    timeout_cap_ms: int = 120_000
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    backoff: Backoff = field(default_factory=Backoff)
    backoff_attempts: int = 5
    retries: int = 10
    unlimited_attempts: bool = False
    horizon_ms: int = YEAR_MS
    business: str = "default"
    priority: int = 5


DEFAULT_LIMITS = Limits()
