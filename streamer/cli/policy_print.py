"""How policies look in a terminal: a record in a few words, and what holds for a domain line by line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

import typer

from streamer.cli.cluster import Installation, installation, kafka_errors
from streamer.cli.config_topic import Config, Stored, read_config
from streamer.cli.console import err, fail, print_json, print_table
from streamer.cli.words import cell
from streamer.core.policy_view import HEADER, Line
from streamer.core.secret_template import MARK
from streamer.wire.config_model import Kind
from streamer.wire.instants import format_instant
from streamer.wire.masking import Masking


def titled(kind: Kind, name: str) -> str:
    """Return what a record is about, in words."""
    return "every domain" if kind is Kind.DEFAULT else f"{kind.value.replace('_', ' ')} {name}"


def in_words(shown: Mapping[str, Any]) -> str:
    """Return a record in one line, from its fields as people may see them."""
    return cell(", ".join(f"{name} {_short(value)}" for name, value in shown.items())) or "nothing"


def shown_fields(fields: Mapping[str, Any], masking: Masking) -> dict[str, Any]:
    """Return a record's fields as people may see them: the values of headers that carry secrets are masked."""
    headers = fields.get("headers")
    if not isinstance(headers, dict):
        return dict(fields)
    return {**fields, "headers": {name: _header(name, value, masking) for name, value in headers.items()}}


def line_text(line: Line, masking: Masking) -> str:
    """Return a value that holds, the end of a pause or a key as an instant."""
    if line.field.startswith(HEADER):
        return _header(line.field.removeprefix(HEADER), line.text, masking)
    return line.text if line.until_ms is None else f"{line.text} {format_instant(line.until_ms)}"


def row_of(name: str, stored: Stored, masking: Masking) -> dict[str, Any]:
    """Return a record for programs."""
    record, written = shown_fields(stored.fields, masking), format_instant(stored.at_ms)
    return {"name": name, "record": record, "written_at": written, "problem": stored.problem}


def warn_of_problems(config: Config) -> None:
    """Say on stderr which records no worker takes."""
    problems = {key: each.problem for key, each in config.stored.items() if each.problem is not None}
    for key, problem in {**config.broken, **problems}.items():
        rest = "what it said before holds" if key in config.stored else "it says nothing"
        err.print(f"{key}: the newest record is refused, {rest}: {problem}", markup=False, soft_wrap=True)


def list_records(ctx: typer.Context, bootstrap: str | None, kind: Kind, *, as_json: bool) -> None:
    """Print the records of one kind."""
    config = read(installation(ctx, bootstrap))
    found, masking = config.of_kind(kind), config.place.masking
    if as_json:
        for name, stored in found.items():
            print_json(row_of(name, stored, masking))
    else:
        rows = [
            (name, in_words(shown_fields(each.fields, masking)), format_instant(each.at_ms))
            for name, each in found.items()
        ]
        print_table((kind.value.replace("_", " "), "what is said", "written at"), rows)
    warn_of_problems(config)


def show_record(ctx: typer.Context, bootstrap: str | None, kind: Kind, name: str, *, as_json: bool) -> None:
    """Print one record, field by field."""
    config = read(installation(ctx, bootstrap))
    stored = config.of_kind(kind).get(name)
    warn_of_problems(config)
    if stored is None:
        group = {Kind.BUSINESS: "businesses", Kind.POLICY: "policies"}.get(kind, "rate-keys")
        fail(f"nothing is said of {titled(kind, name)}; `streamer {group} ls` lists what is")
    if as_json:
        print_json(row_of(name, stored, config.place.masking))
    else:
        print_table(("field", "value"), _lines(stored.fields, config.place.masking))


def read(place: Installation) -> Config:
    """Read the topic; ends the command when the cluster does not play along."""
    with kafka_errors(place):
        return asyncio.run(read_config(place))


def _lines(fields: Mapping[str, Any], masking: Masking) -> Iterable[tuple[str, str]]:
    for name, value in shown_fields(fields, masking).items():
        if isinstance(value, dict):
            yield from ((f"{name}.{part}", cell(_short(inner))) for part, inner in value.items())
        else:
            yield name, cell(_short(value))


def _header(name: str, value: str, masking: Masking) -> str:
    # What names a secret tells nothing, and is what one wants to see.
    return value if MARK in value else masking.shown_headers([(name, value)])[0][1]


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "/".join(map(_short, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value)
