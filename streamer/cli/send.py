"""`streamer send`: append requests, one by flags or many by JSON lines, and print the ids of their tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from streamer.cli.cluster import BootstrapFlag, installation
from streamer.cli.console import USAGE, JsonFlag, err, fail
from streamer.cli.form_flags import form_of
from streamer.cli.request_flags import WrongFlag, record_of
from streamer.cli.request_lines import Line, Stream, read_lines
from streamer.cli.sending import Sending
from streamer.cli.setup import limits_of

Texts = list[str] | None
Text = str | None


def send(
    ctx: typer.Context,
    url: Annotated[Text, typer.Argument(help="Where to send it; or give --file.", show_default=False)] = None,
    method: Annotated[Text, typer.Option(help="POST if not given.")] = None,
    header: Annotated[Texts, typer.Option(help="A header; may be repeated.", metavar='"NAME: VALUE"')] = None,
    json_body: Annotated[Text, typer.Option(help="The body, as JSON.")] = None,
    body: Annotated[Text, typer.Option(help="The body, as text.")] = None,
    form: Annotated[Texts, typer.Option(help="A field of a form; may be repeated.", metavar="NAME=VALUE")] = None,
    form_file: Annotated[
        Texts,
        typer.Option(
            help="A file of a form, which makes the body multipart/form-data; may be repeated.",
            metavar="NAME=PATH[;type=TYPE]",
        ),
    ] = None,
    id_: Annotated[Text, typer.Option("--id", help="The task's id; one is derived if not given.")] = None,
    business: Annotated[Text, typer.Option(help="The business that owns the task.")] = None,
    business_id: Annotated[Text, typer.Option(help="The business's own unique id, instead of --id.")] = None,
    delay: Annotated[Text, typer.Option(help='Send after this time: "30s", "2h".')] = None,
    send_at: Annotated[Text, typer.Option(help='Send at this instant: "2026-01-31T09:30:00Z".')] = None,
    expires_at: Annotated[Text, typer.Option(help="Do not send after this instant.")] = None,
    priority: Annotated[int | None, typer.Option(help="1 (first) to 10; 5 if not given.")] = None,
    policy: Annotated[Text, typer.Option(help="The named policy that fills in what is not given.")] = None,
    rate_key: Annotated[Text, typer.Option(help="Shares the rate that is set for this key.")] = None,
    intervals: Annotated[Text, typer.Option(help='Waits between attempts: "1m,5m"; "" is one attempt.')] = None,
    timeout: Annotated[Text, typer.Option(help='Time for one call: "10s".')] = None,
    metadata: Annotated[
        Texts, typer.Option(help="Carried into each result; may be repeated.", metavar="NAME=VALUE")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="JSON lines, one request each; - is stdin.")] = None,
    no_check: Annotated[bool, typer.Option("--no-check", help="Send also what would be refused.")] = False,
    bootstrap: BootstrapFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Append requests to the topic; prints the task's id and the record's coordinates once acknowledged."""
    if (url is None) == (file is None):
        fail("give a URL, or JSON lines with --file PATH (- is stdin): one of the two", code=USAGE)
    place = installation(ctx, bootstrap)
    limits = limits_of(place.settings)
    sending = Sending(place, checked=not no_check, as_json=as_json, numbered=file is not None, limits=limits)
    if file is not None:
        _send_lines(sending, file)
        return
    try:
        value = record_of(
            url or "", headers=header or (), json_body=json_body, metadata=metadata or (), intervals=intervals,
            timeout=timeout, method=method and method.upper(), body=body, id=id_, business=business,
            business_id=business_id, delay=delay, send_at=send_at, expires_at=expires_at, priority=priority,
            policy=policy, rate_key=rate_key, **form_of(form or (), form_file or (), limits.body_bytes),
        )  # fmt: skip
    except WrongFlag as error:
        fail(str(error), code=USAGE)
    sending.run(iter([[Line(1, value, limits.record_bytes)]]), lambda: None)


def _send_lines(sending: Sending, path: Path) -> None:
    with _opened(path) as (stream, size):
        _with_progress(sending, stream, size)


def _with_progress(sending: Sending, stream: Stream, size: int | None) -> None:
    columns = (
        BarColumn(),
        TextColumn("{task.fields[sent]} sent, {task.fields[refused]} refused"),
        TimeElapsedColumn(),
    )
    # While the bar stands, ids for the same terminal have to go through it; for a pipe they must not.
    shared = sys.stdout.isatty()
    with Progress(*columns, console=err, transient=True, redirect_stdout=shared, disable=not err.is_terminal) as bar:
        task = bar.add_task("sending", total=size, sent=0, refused=0)
        lines = read_lines(stream, sending.limits.record_bytes, lambda count: bar.advance(task, count))
        try:
            sending.run(lines, lambda: bar.update(task, sent=sending.sent, refused=sending.refused))
        finally:
            bar.stop()
            if not sending.as_json:
                err.print(f"sent {sending.sent}, refused {sending.refused}")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Stream, int | None]]:
    if str(path) == "-":
        yield cast("Stream", sys.stdin.buffer), None
        return
    try:
        file = path.open("rb")
    except OSError as error:
        fail(f"--file {path}: cannot be read: {error.strerror or error}")
    with file:
        yield file, path.stat().st_size or None
