"""What all clients have in common, by whichever library they call."""

from __future__ import annotations

from dataclasses import dataclass

from streamer.adapters.http.proxy import Proxy


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """What all clients have in common; ``root_certificates`` are PEM and trusted besides the system's.

    ``idle_total`` bounds the idle connections of targets that are quiet, over all of them. With a ``proxy`` every
    connection goes to it.
    """

    connect_timeout_ms: int = 10_000
    idle_timeout_ms: int = 90_000
    idle_per_host: int = 256
    idle_total: int = 10_000
    root_certificates: tuple[bytes, ...] = ()
    proxy: Proxy | None = None
