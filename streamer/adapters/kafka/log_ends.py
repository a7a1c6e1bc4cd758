"""Where logs end, asked by a client of its own: one that is stuck cannot tell what it does not read (H8, K4)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

_STOP_S = 2.0


class LogEnds:
    """Asks brokers for the ends of logs; after a failure it connects anew.

    Ends are those of committed records: what an open transaction has written is not yet to be read by anybody.
    """

    def __init__(self, client_options: Mapping[str, Any], answer_s: float = 10.0) -> None:
        self._options = client_options
        self._answer_s = answer_s
        self._client: AIOKafkaConsumer | None = None

    async def of(self, tps: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end of each; raises KafkaError or OSError, TimeoutError among them, when no answer comes in time."""
        if not tps:
            return {}
        try:
            async with asyncio.timeout(self._answer_s):
                if self._client is None:
                    self._client = AIOKafkaConsumer(**self._options, isolation_level="read_committed")
                    await self._client.start()
                return dict(await self._client.end_offsets(list(tps)))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            # A consumer that is stopped as soon as it is started raises CancelledError (aiokafka 0.14).
            with suppress(Exception, asyncio.CancelledError):
                await asyncio.wait_for(client.stop(), _STOP_S)
