"""How to reach Redis: at one address, or at the one that Sentinels name as the master."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """Where Redis is and who we are there. With ``master`` the hosts are Sentinels, else there is one host.

    The passwords stand in no repr; ``cafile`` is None for the system's authorities.
    """

    hosts: tuple[tuple[str, int], ...]
    master: str | None = None
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)
    database: int = 0
    cafile: Path | None = None
    timeout_ms: int = 250

    @property
    def name(self) -> str:
        """What to call it in a log: addresses, and no secret."""
        hosts = ", ".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{hosts} (Sentinels of {self.master})" if self.master else hosts


@dataclass(frozen=True, slots=True)
class Connected:
    """A client and what closes it; nothing is connected before the first call."""

    client: Redis
    close: Callable[[], Awaitable[None]]


def connect(options: RedisOptions) -> Connected:
    """Return a client that tries each call once: whether it is made again is for the caller to say."""
    common = _common(options)
    own = {**common, "username": options.user, "password": options.password, "db": options.database}
    if options.master is None:
        ((host, port),) = options.hosts
        client = Redis(host=host, port=port, **own)
        return Connected(client, client.aclose)
    asking = {**common, "password": options.sentinel_password}
    sentinel = Sentinel(options.hosts, sentinel_kwargs=asking, **own)  # type: ignore[no-untyped-call]  # it has no types
    client = sentinel.master_for(options.master)

    async def close() -> None:
        await client.aclose()
        for asked in sentinel.sentinels:
            await asked.aclose()

    return Connected(client, close)


def _common(options: RedisOptions) -> dict[str, Any]:
    timeout_s = options.timeout_ms / 1000
    common: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        # RESP 2 asks the server for less when it connects, and the script's answer is a list of numbers.
        "protocol": 2,
    }
    if options.tls:
        common |= {"ssl": True, "ssl_check_hostname": True}
        if options.cafile is not None:
            common["ssl_ca_certs"] = str(options.cafile)
    return common
