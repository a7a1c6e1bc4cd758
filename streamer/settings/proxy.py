"""The egress proxy's address, as settings have it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import PlainSerializer, PlainValidator

_ALLOWED = 'write "http://[USER@]HOST:PORT"'
_PASSWORD = "holds a password: set http.proxy_password instead, which is masked wherever settings are shown"
_URL = re.compile(r"http://(?:([^@/]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})/?")
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class ProxyUrl:
    """Where the proxy is, and as whom we come. It never holds a password."""

    text: str
    host: str
    port: int
    user: str = ""

    def __str__(self) -> str:
        """Write it as it was read."""
        return self.text


def parse_proxy_url(text: str) -> ProxyUrl:
    """Read an address; ValueError says what is allowed, and quotes nothing: there may be a password in it."""
    written = text.strip()
    if ":" in written.partition("://")[2].rpartition("@")[0]:
        raise ValueError(_PASSWORD)
    match = _URL.fullmatch(written)
    if match is None or not 0 < int(match[3]) <= _HIGHEST_PORT:
        # A proxy behind TLS would have to be verified by clients that verify nothing, those for http.
        raise ValueError(f"is no address of a proxy: {_ALLOWED}")
    return ProxyUrl(written, match[2], int(match[3]), unquote(match[1] or ""))


def _read(value: Any) -> ProxyUrl | None:
    if value is None or isinstance(value, ProxyUrl):
        return value
    if not isinstance(value, str):
        raise ValueError(f"is no text: {_ALLOWED}")
    return parse_proxy_url(value) if value.strip() else None


def _written(value: ProxyUrl | None) -> str:
    return str(value or "")


OptionalProxy = Annotated[ProxyUrl | None, PlainValidator(_read), PlainSerializer(_written)]
