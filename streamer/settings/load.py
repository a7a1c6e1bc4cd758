"""Load the settings: default < file < environment < flag; values with their source, all problems at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from streamer.settings.contracts import contradictions
from streamer.settings.fields import fields
from streamer.settings.model import Settings
from streamer.settings.sources import Found, find_file, read_environment, read_file, read_flags

DEFAULT = "default"


class SettingsError(Exception):
    """The settings cannot be used; `problems` has a sentence for each thing to repair."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and by key where each that is not a default came from: a path, `env NAME` or `flag`."""

    settings: Settings
    sources: Mapping[str, str]
    file: Path | None

    def source(self, key: str) -> str:
        """Return where a setting's value came from."""
        return self.sources.get(key, DEFAULT)


def load(
    file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    directory: Path | None = None,
) -> Loaded:
    """Read and merge all sources; raises SettingsError with every problem found.

    ``flags`` are by dotted key. Without ``environ`` and ``directory`` the process's own are taken.
    """
    environ = os.environ if environ is None else environ
    found = Found()
    path = find_file(file, environ, directory or Path(), found)
    if path is not None:
        read_file(path, found)
    read_environment(environ, found)
    read_flags(flags or {}, found)
    settings = _build(found)
    if settings is not None:
        found.problems += contradictions(settings)
    if settings is None or found.problems:
        raise SettingsError(found.problems)
    return Loaded(settings, found.sources, path)


def _build(found: Found) -> Settings | None:
    tree: dict[str, Any] = {}
    for key, value in found.values.items():
        *parents, leaf = key.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        found.problems += _sentences(error, found)
        return None


def _sentences(error: ValidationError, found: Found) -> list[str]:
    sentences: dict[str, None] = {}
    for detail in error.errors(include_input=False, include_url=False):
        parts = [str(part) for part in detail["loc"]]
        # What follows the key (a list's index, a union's branch) says nothing to who wrote the value.
        key = next((".".join(parts[:n]) for n in range(len(parts), 0, -1) if ".".join(parts[:n]) in fields()), "")
        reason = detail["msg"].removeprefix("Value error, ")
        sentences[f"{key or '.'.join(parts)} ({found.sources.get(key, DEFAULT)}): {reason}"] = None
    return list(sentences)


def environment_with_secrets(settings: Settings) -> dict[str, str]:
    """Return this process's environment for a child, with the secrets among these settings: no file is to hold them."""
    found = {field.env: field.value(settings) for field in fields().values()}
    secrets = {name: value.get_secret_value() for name, value in found.items() if isinstance(value, SecretStr)}
    return {**os.environ, **secrets}
