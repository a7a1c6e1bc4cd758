"""Says for people why a request record is refused: the field, what is allowed, the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from streamer.core.reading import Refused
from streamer.wire.request_model import BackoffRecord, RequestRecord, RetryRecord

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SHOWN = 60


def _fields(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    return {prefix + (field.alias or name): field.description or "" for name, field in model.model_fields.items()}


#: Dotted path of every field → what it must be.
ALLOWED = {
    **_fields(RequestRecord),
    **_fields(RetryRecord, "retry."),
    **_fields(BackoffRecord, "retry.backoff."),
}
NAMES = frozenset(path for path in ALLOWED if "." not in path)


def refusal(error: ValidationError) -> Refused:
    """Return the refusal of a record that the model does not take; an unknown field explains the others."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    first = next((detail for detail in details if detail["type"] == "extra_forbidden"), details[0])
    return _refused(first)


def unknown_field(data: dict[str, Any]) -> Refused | None:
    """Return the refusal of the first unknown field of a record, if there is one."""
    name = next((name for name in data if name not in NAMES), None)
    return None if name is None else _unknown("", name)


def _refused(detail: ErrorDetails) -> Refused:
    loc = [str(part) for part in detail["loc"]]
    path = _path(loc)
    if detail["type"] == "extra_forbidden":
        return _unknown(path, loc[-1])
    if detail["type"] == "missing":
        return Refused(path, f"{path} is required: {ALLOWED[path]}")
    return Refused(path, f"{path} must be {ALLOWED[path]}")


def _path(loc: Iterable[str]) -> str:
    """Return the longest known path along a location; the rest of it names branches of unions and indexes."""
    path = ""
    for part in loc:
        longer = f"{path}.{part}" if path else part
        if longer in ALLOWED:
            path = longer
        elif path:
            break
    return path


def _unknown(path: str, name: str) -> Refused:
    prefix = f"{path}." if path else ""
    known = [
        field.removeprefix(prefix) for field in ALLOWED if field.startswith(prefix) and "." not in field[len(prefix) :]
    ]
    near = get_close_matches(name[:_SHOWN].lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
    free = "" if path else " Only metadata is free."
    shown = prefix + name[:_SHOWN]
    return Refused(shown, f"{shown} is no field of a request: {hint}{free}")
