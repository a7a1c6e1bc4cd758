"""Connections of aiokafka's clients that nothing of its own closes: those that are still being made."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from aiokafka import client as library
from aiokafka.errors import KafkaConnectionError


class _Shut(dict[Any, Any]):
    """What a client that is shut keeps its connections in: none, and it takes none."""

    def __setitem__(self, key: Any, connection: Any) -> None:
        connection.close()
        raise KafkaConnectionError("the client was shut while it connected")


async def shut(client: Any, within_s: float) -> None:
    """Close a client for good, at once: what it still connects to is closed as soon as it is connected, and never used.

    A client that is merely closed goes on where it was connecting: when the broker comes back, it writes what it was about
    to (RULES 34). Raises TimeoutError when connections do not close within ``within_s``; nothing goes over them all the same.
    """
    connections, client._conns = client._conns, _Shut()
    closing = [connection.close() for connection in connections.values()]
    async with asyncio.timeout(within_s):
        await asyncio.gather(client.close(), *closing)


@dataclass(slots=True)
class _Bootstrap:
    """The connections that a client makes while it looks for its cluster."""

    made: list[Any] = field(default_factory=list)
    lasts: bool = True


_bootstrap: ContextVar[_Bootstrap | None] = ContextVar("_bootstrap", default=None)


@cache
def close_what_is_cut_off() -> None:
    """Let every client of this process that is cut off while it looks for its cluster close what it has connected to.

    aiokafka keeps that connection in a variable of the function that is cut off.
    """
    connect, look = library.create_conn, library.AIOKafkaClient.bootstrap

    async def create_conn(*arguments: Any, **options: Any) -> Any:
        connection = await connect(*arguments, **options)
        bootstrap = _bootstrap.get()
        # Tasks that the client has started meanwhile have the variable, too.
        if bootstrap is not None and bootstrap.lasts:
            bootstrap.made.append(connection)
        return connection

    async def bootstrap(client: Any) -> None:
        mine = _Bootstrap()
        token = _bootstrap.set(mine)
        try:
            await look(client)
        except BaseException:
            for connection in mine.made:
                connection.close()
            raise
        finally:
            mine.lasts = False
            mine.made.clear()
            _bootstrap.reset(token)

    library.create_conn = create_conn
    library.AIOKafkaClient.bootstrap = bootstrap
