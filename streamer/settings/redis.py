"""Settings of Redis, where limits that cross domains are kept once several workers share them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, SecretStr

from streamer.settings.types import Duration, DurationField, Section, none_if_empty

_ALLOWED = (
    'write "redis://[USER@]HOST[:PORT][/DATABASE]" or "sentinel://[USER@]HOST[:PORT],HOST[:PORT]/MASTER[/DATABASE]"; '
    "with TLS rediss:// or sentinels://"
)
_PASSWORD = "holds a password: set redis.password instead, which is masked wherever settings are shown"
_URL = re.compile(r"(rediss?|sentinels?)://(?:([^@/]*)@)?([^@/?#]+)(?:/([^?#]*))?")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_MASTER = re.compile(r"[A-Za-z0-9._-]{1,100}")
_REDIS_PORT, _SENTINEL_PORT = 6379, 26379
_MAX_DATABASE = 9_999
_SHORTEST_MS, _LONGEST_MS = 5, 5_000


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """Where Redis is. With ``master`` the hosts are Sentinels, else there is one host. It never holds a password."""

    text: str
    hosts: tuple[tuple[str, int], ...]
    tls: bool = False
    user: str | None = None
    database: int = 0
    master: str | None = None

    def __str__(self) -> str:
        """Write it as it was read."""
        return self.text


def parse_redis_url(text: str) -> RedisUrl:
    """Read an address; ValueError says what is allowed, and quotes nothing: there may be a password in it."""
    match = _URL.fullmatch(text.strip())
    if match is None:
        if "@" in text and ":" in text.partition("://")[2].rpartition("@")[0]:
            raise ValueError(_PASSWORD)
        raise ValueError(f"is no address of Redis: {_ALLOWED}")
    scheme, user, hosts, path = match.groups()
    if user and ":" in user:
        raise ValueError(_PASSWORD)
    sentinel = scheme.startswith("sentinel")
    master, database = _path(path or "", sentinel=sentinel)
    port = _SENTINEL_PORT if sentinel else _REDIS_PORT
    found = tuple(_host(host, port) for host in hosts.split(","))
    if len(found) > 1 and not sentinel:
        raise ValueError(f"names several hosts, which only sentinel:// may: {_ALLOWED}")
    return RedisUrl(
        text.strip(), found, scheme in ("rediss", "sentinels"), unquote(user or "") or None, database, master
    )


def _path(path: str, *, sentinel: bool) -> tuple[str | None, int]:
    master, _, database = path.rpartition("/") if not sentinel else path.partition("/")
    if sentinel and not _MASTER.fullmatch(master):
        raise ValueError(f"names no master for the Sentinels to find: {_ALLOWED}")
    if not sentinel and master:
        raise ValueError(f"has too much after the host: {_ALLOWED}")
    if database and not (database.isascii() and database.isdigit() and int(database) <= _MAX_DATABASE):
        raise ValueError(f"must end in a database's number from 0 to {_MAX_DATABASE}, or in none: {_ALLOWED}")
    return master or None, int(database or 0)


def _host(text: str, port: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text.strip())
    if match is None or not 0 < int(match[2] or port) < 65_536:
        raise ValueError(f"has a host that is none, or a port that is not from 1 to 65535: {_ALLOWED}")
    return match[1].strip("[]"), int(match[2] or port)


def _url(value: Any) -> RedisUrl | None:
    if value is None or isinstance(value, RedisUrl):
        return value
    if not isinstance(value, str):
        raise ValueError(f"is no text: {_ALLOWED}")
    return parse_redis_url(value) if value.strip() else None


def _bounded(value: Duration) -> Duration:
    if not _SHORTEST_MS <= value.ms <= _LONGEST_MS:
        raise ValueError(
            f"must be from {_SHORTEST_MS}ms to {Duration(_LONGEST_MS)}: a delivery may have to wait so long"
        )
    return value


def _written(value: RedisUrl | None) -> str:
    return str(value or "")


class Redis(Section):
    """Where limits that cross domains are kept (of a business, a policy, a `rate_key`) when workers are several."""

    url: Annotated[RedisUrl | None, PlainValidator(_url), PlainSerializer(_written)] = Field(
        None,
        description='"redis://[USER@]HOST[:PORT][/DATABASE]", with TLS "rediss://", over Sentinels '
        '"sentinel://HOST[:PORT],HOST[:PORT]/MASTER" or "sentinels://". Empty: each worker keeps the limits by itself.',
    )
    password: Annotated[SecretStr | None, BeforeValidator(none_if_empty)] = Field(
        None, description="Password of Redis; empty: none. Better set by the environment than in a file."
    )
    sentinel_password: Annotated[SecretStr | None, BeforeValidator(none_if_empty)] = Field(
        None, description="Password of the Sentinels themselves; empty: none."
    )
    cafile: Annotated[Path | None, BeforeValidator(none_if_empty)] = Field(
        None, description="PEM file of authorities to trust besides the system's; empty: none."
    )
    prefix: str = Field(
        "streamer:limit:", description="What every key in Redis begins with.", pattern=r"^[!-~]{0,100}$"
    )
    timeout: Annotated[DurationField, AfterValidator(_bounded)] = Field(
        Duration(250), description="The longest that one call to Redis may take, connecting included."
    )
    fallback_share: float = Field(
        0.25,
        description="The part of each rate that a worker allows while Redis is away: 1 / number of workers.",
        gt=0,
        le=1,
    )
