"""Says for people why a pydantic model does not take a record: the field, what is allowed, the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SHOWN = 60


def described(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Return a model's fields by their dotted paths, each with what it must be."""
    return {prefix + (field.alias or name): field.description or "" for name, field in model.model_fields.items()}


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one kind of record: dotted path → what each must be; ``noun`` is what the record is."""

    allowed: Mapping[str, str]
    noun: str
    free: str = ""

    def refusal(self, error: ValidationError) -> tuple[str, str]:
        """Return the field and the reason; an unknown field explains the others."""
        details = error.errors(include_url=False, include_context=False, include_input=False)
        first = next((detail for detail in details if detail["type"] == "extra_forbidden"), details[0])
        return self._refused(first)

    def unknown(self, path: str, name: str) -> tuple[str, str]:
        """Return the field and the reason for a name that the object at ``path`` does not have."""
        prefix = f"{path}." if path else ""
        known = [
            field.removeprefix(prefix)
            for field in self.allowed
            if field.startswith(prefix) and "." not in field[len(prefix) :]
        ]
        near = get_close_matches(name[:_SHOWN].lower(), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
        free = "" if path else self.free
        shown = prefix + name[:_SHOWN]
        return shown, f"{shown} is no field of {self.noun}: {hint}{free}"

    def _refused(self, detail: ErrorDetails) -> tuple[str, str]:
        loc = [str(part) for part in detail["loc"]]
        path = self._path(loc)
        if detail["type"] == "extra_forbidden":
            return self.unknown(path, loc[-1])
        if detail["type"] == "missing":
            return path, f"{path} is required: {self.allowed[path]}"
        return path, f"{path} must be {self.allowed[path]}"

    def _path(self, loc: Iterable[str]) -> str:
        """Return the longest known path along a location; the rest of it names branches of unions and indexes."""
        path = ""
        for part in loc:
            if part.isdecimal():
                continue
            longer = f"{path}.{part}" if path else part
            if longer in self.allowed:
                path = longer
            elif path:
                break
        return path
