"""Says for people why a request record is refused: the field, what is allowed, the nearest known name."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from streamer.core.reading import Refused
from streamer.wire.model_error import Fields, described
from streamer.wire.request_model import BackoffRecord, PartRecord, RequestRecord, RetryRecord

#: Dotted path of every field → what it must be.
ALLOWED = {
    **described(RequestRecord),
    **described(RetryRecord, "retry."),
    **described(BackoffRecord, "retry.backoff."),
    **described(PartRecord, "multipart."),
}
NAMES = frozenset(path for path in ALLOWED if "." not in path)

_FIELDS = Fields(ALLOWED, "a request", free=" Only metadata is free.")


def refusal(error: ValidationError) -> Refused:
    """Return the refusal of a record that the model does not take."""
    return Refused(*_FIELDS.refusal(error))


def unknown_field(data: dict[str, Any]) -> Refused | None:
    """Return the refusal of the first unknown field of a record, if there is one."""
    name = next((name for name in data if name not in NAMES), None)
    return None if name is None else Refused(*_FIELDS.unknown("", name))
