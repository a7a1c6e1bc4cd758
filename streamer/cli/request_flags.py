"""Makes a request record from the flags of `streamer send`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from streamer.core.duration import parse_duration_ms


class WrongFlag(ValueError):
    """A flag is not what it must be; the message names it and what is allowed."""


def record_of(
    url: str | None,
    *,
    headers: Sequence[str] = (),
    json_body: str | None = None,
    metadata: Sequence[str] = (),
    intervals: str | None = None,
    timeout: str | None = None,
    **fields: Any,
) -> bytes:
    """Return the record's value; ``fields`` go in as they are, those that are None not at all. Raises WrongFlag."""
    record = {"url": url, **{name: value for name, value in fields.items() if value is not None}}
    if headers:
        record["headers"] = [read_header(text) for text in headers]
    if json_body is not None:
        record["json"] = _json(json_body)
    if metadata:
        record["metadata"] = dict(read_pair("--metadata", text, "=", "name=value") for text in metadata)
    if intervals is not None:
        record["retry"] = {"intervals": [wait.strip() for wait in intervals.split(",") if wait.strip()]}
    if timeout is not None:
        record["timeout_ms"] = _duration_ms(timeout)
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogateescape")


def read_header(text: str) -> tuple[str, str]:
    """Return the name and the value of a `--header`. Raises WrongFlag."""
    return read_pair("--header", text, ":", '"Name: value"')


def read_pair(flag: str, text: str, mark: str, allowed: str) -> tuple[str, str]:
    """Return what stands before and behind the mark in a flag's text. Raises WrongFlag."""
    name, found, value = text.partition(mark)
    if not found or not name.strip():
        raise WrongFlag(f"{flag} must be {allowed}, and is {text!r}")
    return name.strip(), value.strip() if mark == ":" else value


def _json(text: str) -> Any:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise WrongFlag(f"--json-body is no JSON: {error}") from None
    if content is None:
        raise WrongFlag("--json-body must not be null, which says that there is no body; send it with --body null")
    return content


def _duration_ms(text: str) -> int:
    try:
        return parse_duration_ms(text)
    except ValueError as error:
        raise WrongFlag(f"--timeout: {error}") from None
