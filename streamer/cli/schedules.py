"""`streamer schedules`: list, set, pause, run and remove recurring schedules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from streamer.cli.cluster import BootstrapFlag, Installation, installation, kafka_errors
from streamer.cli.console import JsonFlag, print_json, print_table
from streamer.cli.schedule_edit import change, fire, found, now_ms, remove, set_paused
from streamer.cli.schedule_flags import Text, Texts, changed_fields, request_of
from streamer.cli.schedule_print import COLUMNS, line_of, row_of, sentence, warn_of_problems, whole
from streamer.cli.schedule_topic import Stored, read_schedules
from streamer.wire.instants import format_instant

app = typer.Typer(help="List, set, pause and run recurring schedules.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The schedule's name.", metavar="NAME")]


@app.command("ls")
def list_(ctx: typer.Context, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
    """List schedules with their next instant and the last one that was fired."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        schedules = asyncio.run(read_schedules(place))
    lines = [line_of(stored, now_ms(), place.masking) for stored in schedules.stored.values()]
    if as_json:
        for line in lines:
            print_json(line)
    else:
        print_table(COLUMNS, [row_of(line) for line in lines])
    warn_of_problems(schedules)


@app.command()
def show(ctx: typer.Context, name: NameArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
    """Show a schedule whole: its request, its next instants, the last task that it made."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        schedules = asyncio.run(read_schedules(place))
    shown = whole(found(schedules, name), now_ms(), place.masking)
    if as_json:
        print_json(shown)
    else:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    warn_of_problems(schedules)


@app.command("set")
def set_(
    ctx: typer.Context,
    name: NameArgument,
    cron: Annotated[Text, typer.Option(help='When: five fields, "*/5 * * * *".')] = None,
    every: Annotated[Text, typer.Option(help='Or how often, from 1s: "30s", "1h30m".')] = None,
    time_zone: Annotated[Text, typer.Option(help='Of the cron expression: "Europe/Zurich"; UTC if not given.')] = None,
    request: Annotated[
        Path | None, typer.Option(help="The request, a JSON object in a file; - is stdin.", metavar="FILE")
    ] = None,
    url: Annotated[Text, typer.Option(help="Or its URL, beside these flags.")] = None,
    method: Annotated[Text, typer.Option(help="POST if not given.")] = None,
    header: Annotated[Texts, typer.Option(help="A header; may be repeated.", metavar='"NAME: VALUE"')] = None,
    json_body: Annotated[Text, typer.Option(help="The body, as JSON.")] = None,
    body: Annotated[Text, typer.Option(help="The body, as text.")] = None,
    misfire: Annotated[
        Literal["skip", "once", "all"] | None, typer.Option(help="What becomes of instants that were missed; once.")
    ] = None,
    overlap: Annotated[
        Literal["allow", "skip"] | None, typer.Option(help="While the task before has not ended; allow.")
    ] = None,
    starts_at: Annotated[Text, typer.Option(help='Not before: "2026-01-31T09:30:00Z".')] = None,
    ends_at: Annotated[Text, typer.Option(help="Not after.")] = None,
    unset: Annotated[
        Texts, typer.Option("--unset", help="Say nothing of this field any more; may be repeated.")
    ] = None,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Set a schedule; of one that stands, what is not given stays as it is. In force within a second."""
    wanted = request_of(
        request, url, method=method and method.upper(), headers=header or (), json_body=json_body, body=body
    )

    def make(before: Mapping[str, Any]) -> dict[str, Any]:
        return changed_fields(
            before, unset, cron=cron, every=every, time_zone=time_zone, request=wanted, misfire=misfire,
            overlap=overlap, starts_at=starts_at, ends_at=ends_at,
        )  # fmt: skip

    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        stored = asyncio.run(change(place, name, make))
    _tell(place, stored, as_json=as_json)


@app.command()
def pause(ctx: typer.Context, name: NameArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
    """Fire no more until it is resumed; what it has fired goes on."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        stored = asyncio.run(set_paused(place, name, paused=True))
    _tell(place, stored, as_json=as_json)


@app.command()
def resume(ctx: typer.Context, name: NameArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
    """End a pause; the instants that it passed over are not made up for."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        stored = asyncio.run(set_paused(place, name, paused=False))
    _tell(place, stored, as_json=as_json)


@app.command()
def run(ctx: typer.Context, name: NameArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
    """Fire once now, paused or not, and print the task's id; the instants and the overlap rule know nothing of it."""
    place, instant_ms = installation(ctx, bootstrap), now_ms()
    with kafka_errors(place):
        schedule = found(asyncio.run(read_schedules(place)), name).schedule
        task_id, at = asyncio.run(fire(place, schedule, instant_ms))
    if as_json:
        where = {"topic": at.topic, "partition": at.partition, "offset": at.offset}
        print_json({"name": name, "id": task_id, "instant": format_instant(instant_ms), **where})
    else:
        typer.echo(f"{task_id}  {at.topic} {at.partition}:{at.offset}")


@app.command()
def rm(ctx: typer.Context, name: NameArgument, bootstrap: BootstrapFlag = None, as_json: JsonFlag = False) -> None:
    """Remove a schedule; what it has fired goes on."""
    place = installation(ctx, bootstrap)
    with kafka_errors(place):
        asyncio.run(remove(place, name))
    if as_json:
        print_json({"name": name, "removed": True})
    else:
        typer.echo(f"schedule {name}: removed")


def _tell(place: Installation, stored: Stored, *, as_json: bool) -> None:
    line = line_of(stored, now_ms(), place.masking)
    if as_json:
        print_json(line)
    else:
        typer.echo(sentence(line))
