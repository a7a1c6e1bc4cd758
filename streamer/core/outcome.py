"""What an attempt came to: the closed sets of outcomes and error types, and the two shapes of an exchange.

Must not know what follows from an outcome; that is the decision's part.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    """What a result record tells, in the field ``outcome``."""

    SUCCESS = "success"
    CLIENT_ERROR = "client_error"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    NETWORK_ERROR = "network_error"
    TIMEOUT = "timeout"
    BLOCKED = "blocked"
    # What the task is to show of itself could not be had: a fault of this side, before anything was sent.
    CREDENTIALS_ERROR = "credentials_error"
    # Not of an attempt, but of a decision without one.
    DEFERRED = "deferred"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    CONTROL = "control"


class ErrorType(StrEnum):
    """The closed refinement of an outcome that is no success, in the field ``error_type``."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_BYTE_TIMEOUT = "first_byte_timeout"
    READ_TIMEOUT = "read_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    AUTH_ERROR = "auth_error"
    PERMISSION_ERROR = "permission_error"
    CONTENT_ERROR = "content_error"
    GONE = "gone"
    REDIRECT = "redirect"
    CLIENT_ERROR = "client_error"
    STOPPED = "stopped_by_receiver"
    RETRY_ASKED = "retry_asked"
    ANSWER_RULE = "answer_rule"
    EXTENSION = "extension"
    CREDENTIALS = "credentials"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class Response(Struct, frozen=True, gc=False):
    """A peer's answer: the kept head of its body, and whether there was more.

    ``headers`` keep the peer's order. ``body_bytes`` counts what was read, kept or not. ``unpacked`` is None for a body that
    came in no content coding, True where the coding was undone in ``body``, and False where ``body`` is as it came.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    truncated: bool = False
    body_bytes: int = 0
    http_version: str = ""
    unpacked: bool | None = None


class Failure(Struct, frozen=True, gc=False):
    """An exchange that brought no whole answer: a peer's or the network's failure, as a value.

    ``error`` is one of those that ``judge.FAILURE_ROWS`` lists. ``begun`` is False when nothing was sent, so that no
    attempt has happened at the peer.
    """

    error: ErrorType
    message: str
    begun: bool = True


class Exchange(Struct, frozen=True, gc=False):
    """One attempt as it went: its end, the address that was judged and used, and its times (wall clock and duration).

    ``tls_verified`` is False where the target's certificate was taken as it came, by its domain's policy.
    """

    end: Response | Failure
    started_at_ms: int
    duration_ms: float
    address: str | None = None
    sent_headers: tuple[tuple[str, str], ...] = ()
    tls_verified: bool = True
