"""Records as they were once written: a change of format shows as a change of these files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

DIRECTORY = Path(__file__).with_name("golden")


def golden(name: str) -> bytes:
    """Return a golden record as its writer writes it: one line, without the newline that ends the file."""
    return (DIRECTORY / name).read_bytes().removesuffix(b"\n")


def golden_requests() -> list[tuple[str, dict[str, Any]]]:
    """Return the golden request records by name: value or text, and what reading them comes to."""
    return [(path.stem, orjson.loads(path.read_bytes())) for path in sorted(DIRECTORY.glob("requests/*.json"))]
