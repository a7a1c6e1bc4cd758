"""Keys on ``config``: what a record is about, and the name of it."""

from __future__ import annotations

import re

from streamer.core.domain_name import parse_domain
from streamer.wire.config_model import Kind
from streamer.wire.unreadable import UnreadableRecord

_NAMES = {
    Kind.BUSINESS: (re.compile(r"[A-Za-z0-9_:-]{1,64}"), "1 to 64 letters, digits, _, : or -"),
    Kind.POLICY: (re.compile(r"[A-Za-z0-9_.-]{1,64}"), "1 to 64 letters, digits, _, . or -"),
    Kind.SECRET: (re.compile(r"[A-Za-z0-9_.-]{1,64}"), "1 to 64 letters, digits, _, . or -"),
    Kind.RATE_KEY: (re.compile(r"[A-Za-z0-9_.:-]{1,128}"), "1 to 128 letters, digits, _, ., : or -"),
}
_ALLOWED = "default, domain:NAME, business:NAME, policy:NAME, rate_key:NAME, secret:NAME or schedule:NAME"


def checked_name(kind: Kind, name: str) -> str:
    """Return a name in its one form; ValueError says what is allowed."""
    if kind is Kind.DOMAIN:
        return parse_domain(name)
    if kind is Kind.DEFAULT:
        if name:
            raise ValueError("default has no name")
        return name
    pattern, allowed = _NAMES[kind]
    if not pattern.fullmatch(name):
        raise ValueError(f"{name[:140]!r} is no name of a {kind.value.replace('_', ' ')}: it must be {allowed}")
    return name


def key_of(kind: Kind, name: str = "") -> str:
    """Return the key of a record."""
    return kind.value if kind is Kind.DEFAULT else f"{kind.value}:{name}"


def parse_key(key: str) -> tuple[Kind, str]:
    """Return what a record is about; UnreadableRecord for a key that is none of ours, or not in its one form."""
    written, colon, name = key.partition(":")
    try:
        kind = Kind(written)
    except ValueError:
        raise UnreadableRecord("key", f"{key[:140]!r} is no key of config: known are {_ALLOWED}") from None
    try:
        plain = checked_name(kind, name)
    except ValueError as error:
        raise UnreadableRecord("key", str(error)) from None
    if plain != name or (colon and kind is Kind.DEFAULT):
        # Two keys for one domain would be two truths about it.
        raise UnreadableRecord("key", f"{key[:140]!r} must be written {key_of(kind, plain)!r}")
    return kind, plain
