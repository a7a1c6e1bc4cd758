"""Writes the generated parts of the documents, or checks that they say what the code says.

`python -m tools.docs --write` after a change; `python -m tools.docs --check` fails on a part that has drifted.
A part stands in a document between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.docs_parts import PARTS

ROOT = Path(__file__).resolve().parents[1]

_PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end of \2 -->)", re.DOTALL)
_OPENING = re.compile(r"<!-- generated: ([a-z-]+) -->")


def documents() -> list[Path]:
    """Return every document of the project, the root's first."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def opened(text: str) -> list[str]:
    """Return the names of the parts that a text opens, closed or not."""
    return _OPENING.findall(text)


def renewed(text: str) -> str:
    """Return a document's text with every generated part as the code has it now."""

    def part(match: re.Match[str]) -> str:
        name = match[2]
        if name not in PARTS:
            raise KeyError(f"no part {name!r}; there are {', '.join(PARTS)}")
        return f"{match[1]}\n{PARTS[name]().strip()}\n\n{match[3]}"

    return _PART.sub(part, text)


def drifted() -> Iterator[tuple[Path, str]]:
    """Yield each document that says something else than the code, and what it should say."""
    for path in documents():
        text = path.read_text(encoding="utf-8")
        now = renewed(text)
        if now != text:
            yield path, now


def main(arguments: list[str]) -> int:
    """Write or check; 1 when a check finds a document that has drifted, 2 for wrong usage."""
    if arguments not in (["--write"], ["--check"]):
        print("usage: python -m tools.docs --write | --check", file=sys.stderr)
        return 2
    writes = arguments == ["--write"]
    found = list(drifted())
    for path, now in found:
        name = path.relative_to(ROOT)
        if writes:
            path.write_text(now, encoding="utf-8")
            print(f"wrote {name}")
        else:
            print(f"{name} does not say what the code says; run: python -m tools.docs --write", file=sys.stderr)
    return int(bool(found) and not writes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
