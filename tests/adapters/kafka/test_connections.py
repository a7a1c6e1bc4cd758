"""Connections that a client is still making when it is cut off or shut are closed."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import ApiVersionResponse_v0

from streamer.adapters.kafka.connections import close_what_is_cut_off
from tests.support.raw_server import raw_server


class Mute:
    """A broker that tells the versions it speaks, and then nothing more."""

    def __init__(self) -> None:
        self.asked, self.gone = asyncio.Event(), asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the first request, read the second, and wait for the end."""
        request = await self._request(reader)
        answer = request[4:8] + ApiVersionResponse_v0(0, [(3, 0, 5), (18, 0, 0)]).encode()
        writer.write(len(answer).to_bytes(4, "big") + answer)
        await self._request(reader)
        self.asked.set()
        await reader.read()
        self.gone.set()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        size = int.from_bytes(await reader.readexactly(4), "big")
        return await reader.readexactly(size)


async def test_a_client_that_is_cut_off_while_it_looks_for_its_cluster_closes_its_connection() -> None:
    """The broker sees the end of it at once, and not when the garbage is collected."""
    close_what_is_cut_off()
    broker = Mute()
    async with raw_server(broker.serve) as port:
        looking = asyncio.create_task(AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{port}").bootstrap())
        await asyncio.wait_for(broker.asked.wait(), 30)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        await asyncio.wait_for(broker.gone.wait(), 30)
