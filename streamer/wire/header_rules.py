"""Which HTTP headers a task may bring, by RFC 9110, and how large they may be."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from streamer.wire.forbidden_headers import FORBIDDEN, FORBIDDEN_PREFIXES
from streamer.wire.unreadable import UnreadableRecord

MAX_HEADERS = 64
#: Its own, as many that `config` adds, the body's content type and a `tracestate`.
MAX_HEADERS_SENT = 2 * MAX_HEADERS + 2
MAX_VALUE_BYTES = 4096
MAX_NAME_BYTES = 256
#: Names, values and four bytes for each header's line, what `config` adds included.
MAX_TOTAL_BYTES = 32_768
#: Headers of which a receiver reads one, and no two receivers the same one; a task may give each once.
SINGLE = frozenset(
    {
        "authorization",
        "content-encoding",
        "content-type",
        "date",
        "idempotency-key",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-request-id",
    }
)

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")
# Visible ASCII, and space and tab within it. CR and LF would begin another header, and blanks at the ends make a request of
# HTTP/2 malformed (RFC 9113 §8.2.1).
_VALUE = re.compile(r"(?:[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?\Z")
_PREFIXES = tuple(FORBIDDEN_PREFIXES)


def check_headers(pairs: Collection[tuple[str, str]]) -> None:
    """Refuse the first header that a task may not send; order and spelling are the caller's.

    Asked when a task is accepted, and again before each call: what stands on a topic may be older than the rules.
    """
    if len(pairs) > MAX_HEADERS_SENT:
        raise _refused(f"headers are {len(pairs)}; at most {MAX_HEADERS_SENT} are allowed, what config adds included")
    total = 0
    single: set[str] | None = None
    for name, value in pairs:
        lower = checked_name(name)
        if len(value) > MAX_VALUE_BYTES:
            raise _refused(f"headers: the value of {name} is longer than {MAX_VALUE_BYTES} bytes")
        if not is_header_value(value):
            raise _refused(
                f"headers: the value of {name} may have visible ASCII characters only, with spaces and tabs between them"
            )
        if lower in SINGLE:
            single = single or set()
            if lower in single:
                raise _refused(f"headers has {name} more than once; one is allowed")
            single.add(lower)
        total += len(name) + len(value) + 4
    if total > MAX_TOTAL_BYTES:
        raise _refused(f"headers are {total} bytes; at most {MAX_TOTAL_BYTES} are allowed, what config adds included")


def is_header_value(text: str) -> bool:
    """Tell whether a text may be sent as the value of a header of ours."""
    # Nearly all values are plain, and these three are faster than the expression, which allows tabs too.
    plain = text.isascii() and text.isprintable() and text.strip(" ") == text
    return plain or _VALUE.match(text) is not None


def with_missing(pairs: tuple[tuple[str, str], ...], more: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return headers with those of others whose names they lack behind them."""
    given = {name.lower() for name, _ in pairs}
    return (*pairs, *(pair for pair in more if pair[0].lower() not in given))


# Tasks share a handful of names. One that is refused is not remembered, so that none can be long.
@lru_cache(maxsize=1024)
def checked_name(name: str) -> str:
    """Return a name in lower case; UnreadableRecord when it is none, or belongs to somebody else."""
    if not _TOKEN.match(name):
        raise _refused(f"headers has the name {name[:60]!a}; allowed are RFC 9110 tokens of 1 to {MAX_NAME_BYTES}")
    # Receivers that hand headers on as variables (CGI, WSGI) take an underscore for a hyphen.
    lower = name.lower().replace("_", "-")
    if lower in FORBIDDEN or lower.startswith(_PREFIXES):
        raise _refused(f"headers may not set {name}: {_why(lower)}")
    return lower


def _refused(reason: str) -> UnreadableRecord:
    return UnreadableRecord("headers", reason)


def _why(lower: str) -> str:
    return FORBIDDEN.get(lower) or next(
        reason for prefix, reason in FORBIDDEN_PREFIXES.items() if lower.startswith(prefix)
    )
