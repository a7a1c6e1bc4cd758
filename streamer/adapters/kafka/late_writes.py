"""Notices what others have written to changelogs of ours: a stopped owner's last writes, which land late (RULES 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from aiokafka import TopicPartition

from streamer.adapters.kafka.local import TASK_KEY_BYTES, Local
from streamer.adapters.kafka.log_ends import LogEnds
from streamer.adapters.kafka.log_reader import Span, read_log


class LateWrites:
    """Looks at the changelogs of the partitions that we own; what it finds is in their tables' ``outranked``."""

    def __init__(self, client_options: Mapping[str, Any], changelog: str) -> None:
        self._options = client_options
        self._changelog = changelog
        self._ends = LogEnds(client_options)

    async def look(self, locals_: Mapping[int, Local]) -> None:
        """Read what is not ours, once it has not become ours since the last look.

        Raises KafkaError, OSError, Unreachable; the next look finds the same again.
        """
        ends = await self._ends.of([TopicPartition(self._changelog, number) for number in locals_])
        for number, local in locals_.items():
            local.offsets.ends_at(ends[TopicPartition(self._changelog, number)])
            if gaps := local.offsets.lasting():
                await self._read(number, local, gaps)

    async def close(self) -> None:
        """Close the connections."""
        await self._ends.close()

    async def _read(self, number: int, local: Local, gaps: Sequence[range]) -> None:
        span = Span(offsets={number: gaps[0].start})
        async with aclosing(read_log(self._options, self._changelog, span)) as records:
            async for record in records:
                if record.offset >= gaps[-1].stop:
                    break
                late = any(record.offset in gap for gap in gaps)
                if late and record.key is not None and len(record.key) == TASK_KEY_BYTES:
                    local.table.outranked.add(record.key)
        local.offsets.forget(list(gaps))
