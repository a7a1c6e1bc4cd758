"""What may be set for a domain, a business, a named policy or by default, and what follows from it for a lane.

Must not know where it is written, nor which of several policies wins; see policy_book.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streamer.core.codes import Codes
from streamer.core.rate import Rate
from streamer.core.request import RetryPolicy
from streamer.core.send_policy import AnswerRule, Auth, Http2, Network, SecretScope, SigningKey, Tls

#: A pause without an end.
FOREVER_MS = (1 << 53) - 1


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a lane's breaker opens, for how long, and how it closes.

    It opens after ``failures_in_row`` counted failures of any kind one after the other, after ``connect_failures_in_row``
    failures to connect (longer rows where the lane fails often anyway: see FailureCount), or when of at least ``least_calls``
    in the window the ``share`` has failed. Each time it reopens it stays open twice as long, up to ``open_most_ms``.
    Half-open it lets ``probes`` calls go at once, and closes after ``successes_to_close`` of them succeeded.
    """

    failures_in_row: int = 5
    connect_failures_in_row: int = 3
    share: float = 0.5
    least_calls: int = 20
    window_ms: int = 60_000
    open_ms: int = 10_000
    open_most_ms: int = 300_000
    probes: int = 1
    successes_to_close: int = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """What one record on ``config`` says; None where it says nothing.

    ``backlog`` caps a domain's open tasks; ``refuse`` tells what a task beyond it gets: rejected, or made to wait.
    ``paused_until_ms`` is FOREVER_MS for a pause without an end.
    """

    rate: Rate | None = None
    burst: int | None = None
    concurrency: int | None = None
    weight: int | None = None
    priority: int | None = None
    timeout_ms: int | None = None
    retry: RetryPolicy | None = None
    retry_codes: Codes | None = None
    fatal_codes: Codes | None = None
    success_codes: Codes | None = None
    sign: bool | None = None
    shards: int | None = None
    backlog: int | None = None
    refuse: bool | None = None
    paused_until_ms: int | None = None
    breaker: BreakerPolicy | None = None
    headers: tuple[tuple[str, str], ...] | None = None
    tls: Tls | None = None
    http2: Http2 | None = None
    auth: Auth | None = None
    signing: tuple[SigningKey, ...] | None = None
    answer: tuple[AnswerRule, ...] | None = None
    network: Network | None = None
    scope: SecretScope | None = None


@dataclass(frozen=True, slots=True)
class LaneLimits:
    """What holds for one lane (one shard of it, where there are several).

    A lane without ``rate`` is bounded by its concurrency alone. ``paused_until_ms`` is the operator's pause, 0 when there is
    none. ``backlog`` is None for no cap.
    """

    rate: Rate | None = None
    burst: int = 1
    concurrency: int = 20
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    paused_until_ms: int = 0
    backlog: int | None = None
    refuse: bool = False
    shards: int = 1


@dataclass(frozen=True, slots=True)
class BusinessLimits:
    """A business's share of the turns within a lane, and its cap on calls at once over all lanes of a worker."""

    weight: int = 1
    concurrency: int | None = None


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """A rate that holds across domains; ``key`` is ``business:NAME``, ``policy:NAME`` or ``rate_key:NAME``."""

    key: str
    rate: Rate
    burst: int


@dataclass(frozen=True, slots=True)
class Fill:
    """What intake fills into a request that says nothing itself; None: the installation's default.

    ``headers`` are added where the request has none of the name.
    """

    headers: tuple[tuple[str, str], ...] | None = None
    priority: int | None = None
    timeout_ms: int | None = None
    retry: RetryPolicy | None = None
    retry_codes: Codes | None = None
    fatal_codes: Codes | None = None
    success_codes: Codes | None = None
    sign: bool | None = None
