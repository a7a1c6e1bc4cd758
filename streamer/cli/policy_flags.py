"""The flags that set fields of records on `config`, and the fields that they make."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from streamer.cli.console import USAGE, fail
from streamer.cli.request_flags import WrongFlag, read_header

RateFlag = Annotated[str | None, typer.Option(help='An amount per interval: "10/s", "10/5s", "1000/m".')]
BurstFlag = Annotated[int | None, typer.Option(help="Calls that may go at once; one second's worth if not given.")]
ConcurrencyFlag = Annotated[int | None, typer.Option(help="Calls at once.")]
TimeoutFlag = Annotated[str | None, typer.Option(help='Time for one call: "10s".')]
PriorityFlag = Annotated[int | None, typer.Option(help="1 (first) to 10.")]
IntervalsFlag = Annotated[str | None, typer.Option(help='Waits between attempts: "1m,5m"; "" is one attempt.')]
AttemptsFlag = Annotated[str | None, typer.Option("--max-attempts", help='Attempts, or "unlimited".')]
RetryCodesFlag = Annotated[str | None, typer.Option(help='Codes worth another attempt: "404,5xx,200-204".')]
FatalCodesFlag = Annotated[str | None, typer.Option(help="Codes that end a task.")]
SuccessCodesFlag = Annotated[str | None, typer.Option(help="Codes that are a success.")]
HeaderFlag = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        help='A header for requests without it; "NAME:" takes it away; may be repeated.',
        metavar='"NAME: VALUE"',
    ),
]
SignFlag = Annotated[bool | None, typer.Option("--sign/--no-sign", help="Whether calls are signed.")]
UnsetFlag = Annotated[
    list[str] | None, typer.Option("--unset", help="Say nothing of this field any more; may be repeated.")
]
FileFlag = Annotated[
    Path | None, typer.Option("--file", "-f", help="The whole record as a JSON object, which the flags go over.")
]

#: Flags that set a part of a field that is an object: flag → field and part.
_PARTS = {
    "intervals": ("retry", "intervals"),
    "max_attempts": ("retry", "max_attempts"),
    "breaker_failures": ("breaker", "failures_in_row"),
    "breaker_connect_failures": ("breaker", "connect_failures_in_row"),
    "breaker_share": ("breaker", "share"),
    "breaker_open": ("breaker", "open"),
    "breaker_open_most": ("breaker", "open_most"),
}
_CODES = ("retry_codes", "fatal_codes", "success_codes")
#: Fields of which one takes the other's place.
_RIVALS = {"timeout": "timeout_ms", "timeout_ms": "timeout"}


def changed_fields(before: Mapping[str, Any], unset: list[str] | None, **flags: Any) -> dict[str, Any]:
    """Return a record's fields with the flags over them; a flag that is None was not given."""
    fields = dict(before)
    for name in unset or ():
        if name not in fields:
            there = f"it says {', '.join(fields)}" if fields else "it says nothing"
            fail(f"--unset {name}: the record has no such field; {there}", code=USAGE)
        del fields[name]
    for flag, value in flags.items():
        if value is None:
            continue
        if flag == "header":
            _set_headers(fields, value)
        elif flag in _PARTS:
            field, part = _PARTS[flag]
            fields[field] = {**_rest(fields.get(field), part), part: _part(flag, value)}
        else:
            fields.pop(_RIVALS.get(flag, ""), None)
            fields[flag] = _items(value) if flag in _CODES else value
    return fields


def fields_of_file(path: Path) -> dict[str, Any]:
    """Read a record from a file; ends the command when it is none."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"--file {path}: cannot be read: {error.strerror or error}", code=USAGE)
    except ValueError as error:
        fail(f"--file {path}: is no JSON: {error}", code=USAGE)
    if not isinstance(fields, dict):
        fail(f"--file {path}: must hold a JSON object", code=USAGE)
    return {name: value for name, value in fields.items() if name != "v"}


def _set_headers(fields: dict[str, Any], written: list[str]) -> None:
    """Set headers by name, whatever its case; one without a value is taken away."""
    before = fields.pop("headers", None)
    headers = dict(before) if isinstance(before, dict) else {}
    for text in written:
        try:
            name, value = read_header(text)
        except WrongFlag as error:
            fail(str(error), code=USAGE)
        headers = {known: kept for known, kept in headers.items() if known.lower() != name.lower()}
        if value:
            headers[name] = value
    if headers:
        fields["headers"] = headers


def _rest(before: Any, part: str) -> dict[str, Any]:
    """Return the other parts of an object that go with the new one: intervals and backoff exclude each other."""
    rest = dict(before) if isinstance(before, dict) else {}
    if part == "intervals":
        rest.pop("backoff", None)
    return rest


def _part(flag: str, value: Any) -> Any:
    if flag == "intervals":
        return [wait.strip() for wait in value.split(",") if wait.strip()]
    return int(value) if flag == "max_attempts" and value.isdecimal() else value


def _items(text: str) -> list[int | str]:
    return [int(item) if item.isdecimal() else item for item in (part.strip() for part in text.split(",")) if item]
