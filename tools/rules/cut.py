"""A piece of a rule that can be taken out of the code, and the tests that fail then."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

CUTS = Path(__file__).with_name("cuts.toml")


@dataclass(frozen=True, slots=True)
class Cut:
    """In ``file`` stands ``old``, once; with ``new`` in its place ``what`` is so, and one of ``tests`` fails."""

    rule: int
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def found_in(self, root: Path) -> int:
        """Count how often it stands in its file."""
        return (root / self.file).read_text().count(self.old)

    def apply(self, root: Path) -> str:
        """Take it out; return what the file was."""
        path = root / self.file
        whole = path.read_text()
        path.write_text(whole.replace(self.old, self.new))
        return whole


def all_cuts() -> list[Cut]:
    """Return the cuts in the rules' order."""
    cuts = tomllib.loads(CUTS.read_text())["cut"]
    return [Cut(**{**cut, "tests": tuple(cut["tests"])}) for cut in cuts]
