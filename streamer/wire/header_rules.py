"""Which HTTP headers a task may name, by RFC 9110, and which belong to the sender."""

from __future__ import annotations

import re
from collections.abc import Iterable

from streamer.wire.unreadable import UnreadableRecord

MAX_HEADERS = 64
MAX_VALUE_BYTES = 4096
MAX_NAME_BYTES = 256

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}\Z")
# Visible ASCII, space and tab. CR and LF would begin another header; the HTTP client refuses the others.
_VALUE = re.compile(r"[\t\x20-\x7e]*\Z")

#: Headers that a task may not set, and why.
FORBIDDEN = {
    "host": "it is made from url",
    "content-length": "it is made from the body",
    "transfer-encoding": "the sender frames the body",
    "te": "the sender frames the body",
    "trailer": "the sender frames the body",
    "upgrade": "the connection belongs to the sender",
    "connection": "the connection belongs to the sender",
    "keep-alive": "the connection belongs to the sender",
    "expect": "the connection belongs to the sender",
}
#: Beginnings of header names that a task may not set, and why.
FORBIDDEN_PREFIXES = {
    "proxy-": "the way to the target belongs to the sender",
    "webhook-": "they carry the task's id and signature",
}
_PREFIXES = tuple(FORBIDDEN_PREFIXES)


def check_headers(pairs: Iterable[tuple[str, str]]) -> None:
    """Refuse the first header that a task may not send; order and spelling are the caller's."""
    for name, value in pairs:
        if not _TOKEN.match(name):
            raise UnreadableRecord(
                "headers",
                f"headers has the name {name[:60]!a}; allowed are RFC 9110 tokens of 1 to {MAX_NAME_BYTES}",
            )
        lower = name.lower()
        if lower in FORBIDDEN or lower.startswith(_PREFIXES):
            raise UnreadableRecord("headers", f"headers may not set {name}: {_why(lower)}")
        if len(value) > MAX_VALUE_BYTES:
            raise UnreadableRecord("headers", f"headers: the value of {name} is longer than {MAX_VALUE_BYTES} bytes")
        if not _VALUE.match(value):
            raise UnreadableRecord(
                "headers",
                f"headers: the value of {name} may have visible ASCII characters, spaces and tabs only",
            )


def _why(lower: str) -> str:
    return FORBIDDEN.get(lower) or next(
        reason for prefix, reason in FORBIDDEN_PREFIXES.items() if lower.startswith(prefix)
    )
