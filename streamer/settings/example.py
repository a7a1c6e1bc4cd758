"""The example file: every setting as a comment, with its default and its sentence."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from streamer.settings.fields import Field, fields, sections, shown

_HEAD = """\
# Settings of Streamer. Each line that is commented out shows a default: uncomment what you change.
# The environment comes before this file (kafka.prefix is STREAMER_KAFKA__PREFIX), a flag before both.
# Durations have units: 500ms, 30s, 1h30m, 7d."""


def example_toml() -> str:
    """Write the example; without its comment marks it says exactly the defaults."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    # groupby is enough: fields of one section stand together, a nested section's after them.
    for section, members in groupby(_tables_last(), key=lambda field: field.section):
        yield ""
        if section:
            yield f"# {sections()[section]}"
            yield f"[{section}]"
        for field in members:
            yield from (f"# {line}" for line in textwrap.wrap(field.description, 106))
            yield f"#{field.key.rpartition('.')[2]} = {_toml(shown(field.default))}"


def _tables_last() -> list[Field]:
    """Order by section, so that a section's own values stand before its nested tables, as TOML asks."""
    order = {section: rank for rank, section in enumerate(["", *sections()])}
    return sorted(fields().values(), key=lambda field: order[field.section])


def _toml(value: Any) -> str:
    """Write a value in TOML: JSON's form is TOML's for all that a setting can be."""
    return json.dumps(value, ensure_ascii=False)
