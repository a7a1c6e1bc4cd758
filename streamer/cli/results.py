"""`streamer results`: what came of the tasks, a line per result; the newest, or as they arrive."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from streamer.adapters.kafka.log_reader import EVERYTHING, LogRecord, Span, read_log
from streamer.cli.cluster import BootstrapFlag, Installation, installation, kafka_errors
from streamer.cli.console import USAGE, JsonFlag, err, fail, print_json, print_table
from streamer.cli.words import because, cell, since_ms
from streamer.wire.result_mask import masked_result
from streamer.wire.result_record import decode_result
from streamer.wire.unreadable import UnreadableRecord

NEWEST = 100
COLUMNS = ("at", "task", "attempt", "outcome", "state", "status", "why", "next due")
_WIDTHS = (24, 36, 7, 13, 10, 6, 40, 0)


def results(
    ctx: typer.Context,
    task: Annotated[str | None, typer.Option(help="Of this task alone.", metavar="ID")] = None,
    final: Annotated[bool, typer.Option("--final", help="Only those that ended a task.")] = False,
    since: Annotated[
        str | None, typer.Option(help='Not older than "10m", or than an instant.', metavar="AGE|INSTANT")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Print new results until Ctrl-C.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=f"The newest so many, {NEWEST} if not given; 0: all, unsorted. With --follow: end after so many.",
        ),
    ] = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Print results: time, task, attempt, outcome, status, why, and when it goes on."""
    try:
        from_ms = since_ms(since, time.time_ns() // 1_000_000)
    except ValueError as error:
        fail(f"--since: {error}", code=USAGE)
    wanted = Wanted(task, final)
    place = installation(ctx, bootstrap)
    listing = Listing(place, wanted, as_json)
    with kafka_errors(place):
        if follow:
            try:
                asyncio.run(listing.follow(from_ms, limit or 0))
            except KeyboardInterrupt:
                return
        else:
            asyncio.run(listing.newest(from_ms, NEWEST if limit is None else limit))
    if listing.unreadable:
        err.print(f"{listing.unreadable} records could not be read as results")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which results to show."""

    task_id: str | None
    final: bool

    @property
    def all(self) -> bool:
        """Tell whether nothing is left out."""
        return self.task_id is None and not self.final

    def by_key(self, key: bytes | None) -> bool:
        """Tell whether a record's key may be of a wanted result; cheaper than reading it."""
        return self.task_id is None or key == self.task_id.encode()

    def matches(self, result: Mapping[str, Any]) -> bool:
        """Tell whether a result is wanted."""
        return (self.task_id is None or result["task_id"] == self.task_id) and (
            not self.final or result.get("final") is True
        )


@dataclass(slots=True)
class Listing:
    """One run of the command."""

    place: Installation
    wanted: Wanted
    as_json: bool
    unreadable: int = 0

    async def newest(self, from_ms: int | None, limit: int) -> None:
        """Print the newest results in the order of time; all of them, as they are read, when there is no limit."""
        span = Span(since_ms=from_ms) if from_ms is not None else EVERYTHING
        if limit and from_ms is None and self.wanted.all:
            span = Span(newest=limit)
        if not limit:
            await self._stream(span, 0)
            return
        kept: list[tuple[int, int, int, dict[str, Any]]] = []
        async with aclosing(self._read(span)) as found:
            async for record, result in found:
                # Partition and offset come before the result, because no two are equal there.
                heapq.heappush(kept, (record.timestamp_ms, record.partition, record.offset, result))
                if len(kept) > limit:
                    heapq.heappop(kept)
        self._print(entry[-1] for entry in sorted(kept))

    async def follow(self, from_ms: int | None, limit: int) -> None:
        """Print results as they arrive, from now or an instant on; for ever, or until the limit."""
        span = Span(newest=0, follow=True) if from_ms is None else Span(since_ms=from_ms, follow=True)
        await self._stream(span, limit)

    async def _stream(self, span: Span, limit: int) -> None:
        if not self.as_json:
            typer.echo(_line(COLUMNS))
        count = 0
        async with aclosing(self._read(span)) as found:
            async for _record, result in found:
                if self.as_json:
                    print_json(result)
                else:
                    typer.echo(_line(row_of(result)))
                count += 1
                if count == limit:
                    return

    async def _read(self, span: Span) -> AsyncGenerator[tuple[LogRecord, dict[str, Any]], None]:
        topic, masking = self.place.topics.results, self.place.masking

        def announce() -> None:
            if span.follow:
                err.print(f"following {topic}; Ctrl-C ends", markup=False, soft_wrap=True)

        async with aclosing(read_log(self.place.options, topic, span, announce)) as records:
            async for record in records:
                if not self.wanted.by_key(record.key):
                    continue
                try:
                    result = decode_result(record.value)
                except UnreadableRecord:
                    self.unreadable += 1
                    continue
                if self.wanted.matches(result):
                    yield record, masked_result(result, masking)

    def _print(self, found: Iterator[dict[str, Any]]) -> None:
        if self.as_json:
            for result in found:
                print_json(result)
        else:
            print_table(COLUMNS, [row_of(result) for result in found])


def row_of(result: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a result as the cells of its line."""
    generation, why = result.get("generation", 1), result.get("why")
    attempt = str(result.get("attempt", ""))
    return tuple(
        cell(text)
        for text in (
            result["at"],
            result["task_id"],
            # Only a task that was replayed, retried or updated is in another generation than the first.
            attempt if generation == 1 else f"{attempt} (g{generation})",
            result["outcome"],
            result.get("state"),
            result.get("status") or result.get("error_type"),
            because(why),
            why.get("due_at") if isinstance(why, dict) else None,
        )
    )


def _line(cells: tuple[str, ...]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(cells, _WIDTHS, strict=True)).rstrip()
