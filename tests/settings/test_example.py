"""The example file says what is in force without it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from streamer.settings.example import example_toml
from streamer.settings.fields import fields
from streamer.settings.load import load
from streamer.settings.model import Settings


def uncommented() -> str:
    """Return the example with each `#key = value` made `key = value`."""
    return re.sub(r"^#(?=[a-z])", "", example_toml(), flags=re.MULTILINE)


def test_the_example_sets_nothing(tmp_path: Path) -> None:
    """As written, each line is a comment or the head of a table."""
    path = tmp_path / "streamer.toml"
    path.write_text(example_toml(), encoding="utf-8")
    found = load(path, environ={})
    assert found.settings == Settings()
    assert found.sources == {}


def test_the_example_without_its_marks_says_the_defaults(tmp_path: Path) -> None:
    """Every setting is in it, under its own table, with exactly its default."""
    path = tmp_path / "streamer.toml"
    path.write_text(uncommented(), encoding="utf-8")
    found = load(path, environ={})
    assert found.settings == Settings()
    assert set(found.sources) == set(fields())


def test_the_example_is_easy_to_read() -> None:
    """It is TOML, and no line is longer than a screen's."""
    assert tomllib.loads(example_toml()) is not None
    assert max(len(line) for line in example_toml().splitlines()) <= 110
