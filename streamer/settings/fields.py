"""The closed list of settings: each leaf of the tree by its dotted key, with what documents it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from streamer.settings.model import Settings

MASK = "********"
ENV_PREFIX = "STREAMER_"


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: its key as in a file (`kafka.security.user`), its default and its sentence."""

    key: str
    attributes: tuple[str, ...]
    default: Any
    description: str

    @property
    def section(self) -> str:
        """The table it stands in; empty at the top."""
        return self.key.rpartition(".")[0]

    @property
    def env(self) -> str:
        """The environment variable that sets it."""
        return ENV_PREFIX + self.key.replace(".", "__").upper()

    def value(self, settings: Settings) -> Any:
        """Return what `settings` have for it."""
        found: Any = settings
        for attribute in self.attributes:
            found = getattr(found, attribute)
        return found


@cache
def fields() -> Mapping[str, Field]:
    """Return every setting by its key, in the order of the example file."""
    return {field.key: field for field in _walk(Settings(), (), ())}


@cache
def sections() -> Mapping[str, str]:
    """Return every section by its key, with its sentence."""
    found: dict[str, str] = {}
    _collect_sections(Settings(), "", found)
    return found


def shown(value: Any) -> Any:
    """Make a value fit for eyes and JSON: secrets masked, the rest as in a file."""
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, tuple):
        return [shown(item) for item in value]
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    return value.as_posix() if isinstance(value, Path) else str(value)


def _walk(section: BaseModel, key: tuple[str, ...], attributes: tuple[str, ...]) -> Iterator[Field]:
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        own_key, own_attributes = (*key, info.alias or name), (*attributes, name)
        if isinstance(value, BaseModel):
            yield from _walk(value, own_key, own_attributes)
        else:
            yield Field(".".join(own_key), own_attributes, value, info.description or "")


def _collect_sections(section: BaseModel, prefix: str, found: dict[str, str]) -> None:
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            found[prefix + name] = (type(value).__doc__ or "").strip()
            _collect_sections(value, f"{prefix}{name}.", found)
