"""The HTTP request that a task asks for, in normal form, with its policy.

Must not know how a record was written, nor anything of Kafka.
"""

from __future__ import annotations

from msgspec import Struct

from streamer.core.codes import Codes

#: Methods that a task may use (RFC 9110 §9, RFC 5789).
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class Backoff(Struct, frozen=True, gc=False):
    """Delays that grow: ``initial_ms * multiplier**n``, at most ``max_ms``, spread by ``± jitter`` (a share, 0 to 1)."""

    initial_ms: int = 1_000
    multiplier: float = 2.0
    max_ms: int = 60_000
    jitter: float = 0.1


class RetryPolicy(Struct, frozen=True, gc=False):
    """How often and when a task is tried again, and which answers are worth it.

    Exactly one of ``intervals_ms`` and ``backoff`` is set; intervals are as many retries, whatever ``max_attempts``
    says, which counts the first attempt too. With a backoff None means that only ``expires_at``, a cancel or the
    receiver ends the task. ``retry_codes`` and ``fatal_codes`` are the
    task's own words and come before the defaults; a code in both is fatal.
    """

    intervals_ms: tuple[int, ...] | None = (60_000, 300_000, 1_800_000, 7_200_000)
    backoff: Backoff | None = None
    max_attempts: int | None = 5
    retry_codes: Codes | None = None
    fatal_codes: Codes | None = None


class Request(Struct, frozen=True, gc=False):
    """What is to be sent, until when it is worth sending, and how its answer is judged.

    ``headers`` keep the caller's order and spelling. ``body`` is the exact bytes that go on the wire.
    ``metadata`` is the caller's own, carried into every result. ``policy`` is the named policy it asked for.
    """

    url: str
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout_ms: int = 30_000
    retry: RetryPolicy = RetryPolicy()
    success_codes: Codes | None = None
    expires_at_ms: int | None = None
    priority: int = 5
    rate_key: str | None = None
    sign: bool = False
    metadata: tuple[tuple[str, str], ...] = ()
    traceparent: str | None = None
    policy: str | None = None
