"""Reads the flags that the commands on tasks share; what is wrong ends the command, the flag named."""

from __future__ import annotations

import sys
from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from streamer.cli.console import USAGE, fail
from streamer.cli.request_flags import WrongFlag, record_of
from streamer.cli.words import lane_of
from streamer.core.duration import parse_duration_ms

#: Where each task stands is kept in memory; more of them are several calls.
MOST_IDS = 100_000
_LONGEST = 255


def ids_of(given: Sequence[str] | None, path: Path | None) -> list[str]:
    """Return the ids, each once, in their order."""
    found = dict.fromkeys(given or ())
    if path is not None:
        found |= dict.fromkeys(_lines(path))
    for task_id in found:
        if not 1 <= len(task_id) <= _LONGEST or not task_id.isprintable():
            fail(f"{task_id[:60]!r} is no id: one has 1 to {_LONGEST} printable characters", code=USAGE)
    if not found:
        fail("name the tasks: ids, or --ids-from FILE (- is stdin)", code=USAGE)
    if len(found) > MOST_IDS:
        fail(f"{len(found)} ids; at most {MOST_IDS} are taken at once", code=USAGE)
    return list(found)


def lane_flag(domain: str | None) -> str | None:
    """Return the lane that --domain names."""
    try:
        return None if domain is None else lane_of(domain)
    except ValueError as error:
        fail(f"--domain {error}", code=USAGE)


def wait_s_of(wait: bool, text: str) -> float | None:
    """Return how long to wait for answers, in seconds; None for not at all."""
    try:
        return parse_duration_ms(text) / 1000 if wait else None
    except ValueError as error:
        fail(f"the time to wait: {error}", code=USAGE)


def changes_of(
    *, url: str | None, headers: Sequence[str] | None, body: str | None, body_file: Path | None, **fields: Any
) -> bytes | None:
    """Return the update that the flags ask for, as JSON; None when they ask for nothing."""
    if not any(item is not None for item in (url, headers, body, body_file, *fields.values())):
        return None
    encoded = None if body_file is None else b64encode(_bytes(body_file)).decode("ascii")
    try:
        return record_of(
            url, headers=[_colon(text) for text in headers or ()], body=body, body_base64=encoded, **fields
        )
    except WrongFlag as error:
        fail(str(error), code=USAGE)


def _colon(text: str) -> str:
    """Return NAME=VALUE as "NAME: VALUE", which is taken too: no header's name has either sign."""
    name, sign, value = text.partition("=")
    return f"{name}: {value}" if sign and ":" not in name else text


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"--body-file {path}: cannot be read: {error.strerror or error}", code=USAGE)


def _lines(path: Path) -> Iterable[str]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"--ids-from {path}: cannot be read: {error}", code=USAGE)
    return (line.strip() for line in text.splitlines() if line.strip())
