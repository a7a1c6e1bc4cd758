"""The flags of `streamer schedules set`, and the fields that they make of a record."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streamer.cli.console import USAGE, fail
from streamer.cli.request_flags import WrongFlag, record_of

Text = str | None
Texts = list[str] | None

#: Fields of which one takes the other's place.
_RIVALS = {"cron": "every", "every": "cron"}


def request_of(path: Path | None, url: Text, *, headers: Sequence[str], **fields: Any) -> dict[str, Any] | None:
    """Return the request that was given, None for none; ends the command when it cannot be one."""
    if path is not None:
        if url is not None or headers or any(value is not None for value in fields.values()):
            fail("give the request as a file with --request, or by --url and its flags: one of the two", code=USAGE)
        return _from_file(path)
    if url is None:
        if headers or any(value is not None for value in fields.values()):
            fail("--method, --header, --json-body and --body go with --url", code=USAGE)
        return None
    try:
        request: dict[str, Any] = json.loads(record_of(url, headers=headers, **fields))
    except WrongFlag as error:
        fail(str(error), code=USAGE)
    return request


def changed_fields(before: Mapping[str, Any], unset: Texts, **flags: Any) -> dict[str, Any]:
    """Return a record's fields with the flags over them; a flag that is None was not given."""
    fields = dict(before)
    for name in unset or ():
        if name not in fields:
            there = f"it says {', '.join(fields)}" if fields else "it says nothing"
            fail(f"--unset {name}: the record has no such field; {there}", code=USAGE)
        del fields[name]
    given = {name: value for name, value in flags.items() if value is not None}
    for name in given:
        if _RIVALS.get(name) not in given:
            fields.pop(_RIVALS.get(name, ""), None)
    return {**fields, **given}


def _from_file(path: Path) -> dict[str, Any]:
    try:
        request = json.loads(sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"--request {path}: cannot be read: {error.strerror or error}", code=USAGE)
    except ValueError as error:
        fail(f"--request {path}: is no JSON: {error}", code=USAGE)
    if not isinstance(request, dict):
        fail(f"--request {path}: must hold a JSON object", code=USAGE)
    return request
