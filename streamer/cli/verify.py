"""`streamer verify`: tells whether a call that was received is signed by a key, and why not."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from streamer.adapters.http.verification import verify as reason_against
from streamer.cli.console import FAILURE, USAGE, JsonFlag, fail, print_json
from streamer.core.duration import parse_duration_ms
from streamer.wire.instants import parse_instant

_STDIN = "-"
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*[:=][ \t]*(.*)")


def verify(
    body: Annotated[Path, typer.Argument(help="The body, exactly as received; - is stdin.", metavar="BODY_FILE")],
    header: Annotated[
        list[str] | None,
        typer.Option(
            help="webhook-id, webhook-timestamp, webhook-signature; may be repeated.", metavar='"NAME: VALUE"'
        ),
    ] = None,
    header_file: Annotated[
        Path | None, typer.Option(help="All headers, a line each, as curl -i shows them; other lines are passed over.")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(help="A key, whsec_...; other users of the machine may see it; may be repeated.")
    ] = None,
    secret_file: Annotated[
        list[Path] | None, typer.Option(help="A file that holds a key; - is stdin; may be repeated.")
    ] = None,
    public_key: Annotated[
        list[str] | None, typer.Option(help="A public key, whpk_...; may be repeated.", metavar="KEY")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help='Judge the timestamp as of this instant, not now: "2026-01-31T09:30:00Z".')
    ] = None,
    tolerance: Annotated[str, typer.Option(help="How far the timestamp may be from then.")] = "5m",
    as_json: JsonFlag = False,
) -> None:
    """Tell whether a received call is signed by one of the keys: exit 0 when it is, 1 when it is not, 2 for wrong usage."""
    if str(body) == _STDIN and Path(_STDIN) in (secret_file or ()):
        fail("the body and a key cannot both come from stdin", code=USAGE)
    keys = [key.encode() for key in [*(secret or ()), *(public_key or ())]]
    keys += [_read("--secret-file", path) for path in secret_file or ()]
    if not keys:
        fail("give a key: --secret-file, --secret or --public-key", code=USAGE)
    headers = _headers(header or (), header_file)
    now_s, tolerance_s = _instant_s(at), _duration_s(tolerance)
    try:
        reason = reason_against(keys, headers, _read("BODY_FILE", body), now_s, tolerance_s)
    except ValueError as error:
        fail(str(error), code=USAGE)
    if as_json:
        print_json({"valid": reason is None, "reason": reason})
    else:
        typer.echo("valid" if reason is None else f"not valid: {reason}")
    if reason is not None:
        raise typer.Exit(FAILURE)


def _headers(given: Iterable[str], file: Path | None) -> dict[str, str]:
    pairs = []
    for text in given:
        found = _HEADER.fullmatch(text)
        if found is None:
            fail(f'--header must be "NAME: VALUE", and is {text!r}', code=USAGE)
        pairs.append((found[1], found[2]))
    if file is not None:
        # As on the wire; a byte that is no character makes no line unreadable.
        lines = _read("--header-file", file).decode("latin-1").splitlines()
        pairs += [(name, value.strip()) for name, colon, value in (line.partition(":") for line in lines) if colon]
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.strip().lower()
        if key.startswith("webhook-") and headers.get(key, value) != value:
            fail(f"{key} is given twice, with different values", code=USAGE)
        headers[key] = value
    return headers


def _read(name: str, path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == _STDIN else path.read_bytes()
    except OSError as error:
        fail(f"{name} {path}: cannot be read: {error.strerror or error}", code=USAGE)


def _instant_s(at: str | None) -> int:
    if at is None:
        return int(time.time())
    try:
        return parse_instant(at) // 1000
    except ValueError as error:
        fail(f"--at {error}", code=USAGE)


def _duration_s(tolerance: str) -> int:
    try:
        return parse_duration_ms(tolerance) // 1000
    except ValueError as error:
        fail(f"--tolerance: {error}", code=USAGE)
