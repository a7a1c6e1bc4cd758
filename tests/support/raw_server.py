"""A server below HTTP, for peers that misbehave byte by byte; its end leaves no connection and no task."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_server(
    handle: Handle, context: ssl.SSLContext | None = None, *, hosts: Sequence[str] = ("127.0.0.1",), port: int = 0
) -> AsyncIterator[int]:
    """Serve on a port of this machine; a handler's return closes its connection, a peer's going ends the handler."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, EOFError):
            pass  # The peer has gone, which is what many tests are about.
        except asyncio.CancelledError:
            pass  # The end of the server; asyncio 3.11 would log a trace for each handler that ends cancelled.
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(serve, hosts, port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
