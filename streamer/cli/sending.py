"""Sends checked request records, group by group, and tells what became of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from streamer.adapters.kafka.appender import Appended, Appender, NotAcknowledged
from streamer.adapters.kafka.clients import cluster_id, partition_counts
from streamer.cli.cluster import INTERRUPTED, Installation, kafka_errors
from streamer.cli.console import FAILURE, complain, fail, print_json
from streamer.cli.request_lines import Line, check
from streamer.core.identity import business_task_id, derived_task_id
from streamer.core.reading import Accepted, Refused
from streamer.wire.limits import Limits
from streamer.wire.outgoing import OutRecord


@dataclass(slots=True)
class Sending:
    """One run of the command: where it goes, how it is told, and how far it is."""

    place: Installation
    checked: bool
    as_json: bool
    numbered: bool
    limits: Limits
    sent: int = 0
    refused: int = 0

    def run(self, groups: Iterator[Sequence[Line]], on_progress: Callable[[], None]) -> None:
        """Send every group of lines; ends the command with 1 when a line was refused."""
        settings = self.place.settings
        # The loop runs only while something is sent: in between Ctrl-C interrupts a read that waits for input.
        with kafka_errors(self.place), asyncio.Runner() as runner:
            cluster = runner.run(self._meet())
            appender = Appender(
                self.place.options,
                deadline_s=settings.kafka.produce_timeout_s,
                max_record_bytes=settings.topics.max_message_bytes,
            )
            try:
                for group in groups:
                    good = list(self._good(group))
                    appended = runner.run(self._append(appender, [line for line, _ in good]))
                    for (line, read), at in zip(good, appended, strict=True):
                        self._tell(line, task_id(read, cluster, at), at)
                    self.sent += len(good)
                    on_progress()
            except KeyboardInterrupt:
                complain(f"interrupted: {self.sent} records were sent")
                raise typer.Exit(INTERRUPTED) from None
            finally:
                runner.run(appender.close())
        if self.refused:
            raise typer.Exit(FAILURE)

    async def _meet(self) -> str:
        await partition_counts(self.place.options, [self.place.topics.requests])
        return await cluster_id(self.place.options)

    async def _append(self, appender: Appender, lines: Sequence[Line]) -> list[Appended]:
        requests = self.place.topics.requests
        try:
            return await appender.append([OutRecord(requests, line.value) for line in lines])
        except NotAcknowledged as error:
            where = f"lines {lines[0].number} to {lines[-1].number}: " if self.numbered else ""
            fail(f"{where}{error}; {self.sent} before them were sent")

    def _good(self, group: Sequence[Line]) -> Iterator[tuple[Line, Accepted | Refused]]:
        now_ms = time.time_ns() // 1_000_000
        for line in group:
            read = check(line, self.limits, now_ms)
            if isinstance(read, Refused) and (self.checked or line.value is None):
                self.refused += 1
                self._refuse(line, read)
            else:
                yield line, read

    def _refuse(self, line: Line, read: Refused) -> None:
        if self.as_json:
            print_json({"line": line.number, "refused": {"field": read.field, "reason": read.reason}})
            return
        reason = read.reason
        if read.field and not reason.startswith(read.field):
            reason = f"{read.field}: {reason}"
        complain(f"line {line.number}: {reason}" if self.numbered else reason)

    def _tell(self, line: Line, id_: str | None, at: Appended) -> None:
        if self.as_json:
            number: dict[str, Any] = {"line": line.number} if self.numbered else {}
            print_json(
                number
                | {
                    "id": id_,
                    "topic": at.topic,
                    "partition": at.partition,
                    "offset": at.offset,
                    "timestamp_ms": at.timestamp_ms,
                }
            )
        else:
            typer.echo(f"{id_ or '-'}  {at.topic} {at.partition}:{at.offset}")


def task_id(read: Accepted | Refused, cluster: str, at: Appended) -> str | None:
    """Return the id that intake will give the task; None when it will make no task of the record."""
    if isinstance(read, Refused):
        return None
    if read.business_id is not None:
        return business_task_id(read.business, read.business_id)
    return read.id or derived_task_id(cluster, at.topic, at.partition, at.offset, at.timestamp_ms)
