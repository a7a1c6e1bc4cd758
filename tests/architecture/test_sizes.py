"""Files and functions stay small enough to be read at once."""

from __future__ import annotations

from tests.architecture.source import modules

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 70

# Path or path::function → why it may be longer. Empty is the aim.
EXCUSED: dict[str, str] = {}


def test_files_are_short() -> None:
    """A file of the product has at most 300 lines."""
    long = {
        module.path: lines
        for module in modules("streamer")
        if (lines := module.text.count("\n")) > MAX_FILE_LINES and module.path not in EXCUSED
    }
    assert long == {}


def test_functions_are_short() -> None:
    """A function of the product has at most 70 lines, its docstring counted."""
    long = {
        name: lines
        for module in modules("streamer")
        for function in module.functions()
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > MAX_FUNCTION_LINES
        and (name := f"{module.path}::{function.name}") not in EXCUSED
    }
    assert long == {}


def test_every_excuse_is_still_needed() -> None:
    """An excuse names a file that exists, so that the list does not outlive its reasons."""
    paths = {module.path for module in modules("streamer")}
    assert {excuse.split("::")[0] for excuse in EXCUSED} <= paths
