"""Where a request may name secrets: in the values of headers, and in a URL behind its host."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.core.secret_template import MARK, secrets_named
from streamer.wire.unreadable import UnreadableRecord


def check_secrets(url: str, headers: Iterable[tuple[str, str]]) -> None:
    """Refuse a reference that names no secret; one before the path is no legal host, and refused as such."""
    if MARK in url:
        _check("url", "url", url)
    check_secrets_of(headers)


def check_secrets_of(headers: Iterable[tuple[str, str]]) -> None:
    """Refuse a reference in a header that names no secret."""
    for name, value in headers:
        if MARK in value:
            _check("headers", f"headers: the value of {name}", value)


def _check(field: str, what: str, text: str) -> None:
    try:
        secrets_named(text)
    except ValueError as error:
        raise UnreadableRecord(field, f"{what} {error}") from None
