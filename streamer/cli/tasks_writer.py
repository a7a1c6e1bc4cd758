"""Writes commands to `control` in groups, each acknowledged."""

from __future__ import annotations

from streamer.adapters.kafka.appender import Appender
from streamer.adapters.kafka.clients import partition_counts
from streamer.cli.cluster import Installation
from streamer.cli.replay import control_record
from streamer.cli.tasks_answer import Answers, Told
from streamer.core.command import Command
from streamer.wire.outgoing import RECORD_OVERHEAD_BYTES

#: Commands written at once, and the bytes of a group after which it is written.
GROUP, GROUP_BYTES = 200, 1 << 20


class Writer:
    """Writes commands in groups; with listeners their answers tell what became of them, else that they were written."""

    def __init__(self, place: Installation, partitions: int, heard: Answers | None) -> None:
        self._control = place.topics.control
        self._partitions = partitions
        self._most_bytes = place.settings.topics.max_message_bytes
        self._heard = heard
        self._sealer = place.sealer
        self._group: list[tuple[Command, int]] = []
        self._bytes = 0
        self._appender = Appender(
            place.options, deadline_s=place.settings.kafka.produce_timeout_s, max_record_bytes=self._most_bytes
        )

    @classmethod
    async def open(cls, place: Installation, heard: Answers | None) -> Writer:
        """Learn how many partitions `control` has."""
        control = place.topics.control
        return cls(place, (await partition_counts(place.options, [control]))[control], heard)

    async def add(self, command: Command, shard: int) -> list[Told]:
        """Write a command, now or with others."""
        self._group.append((command, shard))
        self._bytes += len(command.delivery.request.body) * 2 if command.delivery else 0
        return await self.flush() if len(self._group) >= GROUP or self._bytes >= GROUP_BYTES else []

    async def flush(self) -> list[Told]:
        """Write what was added, and return what needs no answer."""
        told, records = [], []
        for command, shard in self._group:
            record = control_record(command, self._control, self._partitions, shard, self._sealer)
            if len(record.value or b"") > self._most_bytes - RECORD_OVERHEAD_BYTES:
                text = (
                    f"not: the command is {len(record.value or b'')} bytes, more than topics.max_message_bytes allows"
                )
                told.append(Told(command.task_id, False, text, command.command_id))
                continue
            records.append(record)
            if self._heard is not None:
                self._heard.expect(command)
            else:
                told.append(Told(command.task_id, None, "asked", command.command_id))
        self._group, self._bytes = [], 0
        await self._appender.append(records)
        return told

    async def close(self) -> None:
        """Close the connections."""
        await self._appender.close()
