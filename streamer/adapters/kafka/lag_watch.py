"""Looks now and then how far deliver is behind on ``due``, so that hold stops releasing in time (RULES 20)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streamer.adapters.kafka.progress import handed_of

log = logging.getLogger(__name__)

#: Hold stops releasing into a partition of ``due`` while deliver is this far behind there.
CROWDED = 1_000
_POLL_S = 1.0
#: What a broker may take to answer, and a client to close.
_ANSWER_S, _CLOSE_S = 10.0, 2.0

Ends = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


class LagWatch:
    """Keeps which partitions are crowded, by the last look; none, where it failed.

    It looks again whatever went wrong: what a watch that has ended called crowded would wait for ever.
    """

    def __init__(self, client_options: Mapping[str, Any], due: str, partitions: int, deliver_group: str) -> None:
        self._options = client_options
        self._tps = [TopicPartition(due, number) for number in range(partitions)]
        self._group = deliver_group
        self._crowded: set[int] = set()

    def crowded(self, partition: int) -> bool:
        """Tell whether deliver was far behind on a partition at the last look."""
        return partition in self._crowded

    async def run(self, ends: Ends) -> None:
        """Look once a second until cancelled; ``ends`` answers the ends of partitions."""
        while True:
            admin = AIOKafkaAdminClient(**self._options)
            try:
                async with asyncio.timeout(_ANSWER_S):
                    await admin.start()
                while True:
                    await asyncio.sleep(_POLL_S)
                    async with asyncio.timeout(_ANSWER_S):
                        self._crowded = await self._look(admin, ends)
            except Exception as error:
                # What was known last would keep back a partition for as long as nothing new is learned.
                self._crowded = set()
                log.warning("deliver's lag is not known, will be asked for again: %r", error)
            finally:
                with suppress(Exception):
                    await asyncio.wait_for(admin.close(), _CLOSE_S)
            await asyncio.sleep(_POLL_S)

    async def _look(self, admin: AIOKafkaAdminClient, ends: Ends) -> set[int]:
        found = await admin.list_consumer_group_offsets(self._group, partitions=self._tps)
        end = await ends(self._tps)
        # By what was handed out: what deliver has in hand it bounds by itself, and may keep for half a minute.
        handed = {tp: handed_of(at.offset, at.metadata) for tp, at in found.items() if at.offset >= 0}
        return {tp.partition for tp in self._tps if tp in handed and handed[tp] < end[tp] - CROWDED}
