"""Tries everything that a hostile world is known to do, and prints what was tried and what passed.

`python -m tools.hostile` runs the tests of `tools/hostile/rows.py` once, then those of the official libraries of Standard
Webhooks where their toolchains are installed. It exits 1 when a case fails, a row has none, or a trap was hit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from tools.hostile.rows import ROWS, Row, selected
from tools.hostile.tally import Tally
from tools.interop.languages import LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
#: Columns, where a file or a pipe has none.
_WIDE = 120


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and judge."""
    parser = argparse.ArgumentParser(prog="make hostile", description=__doc__)
    parser.add_argument("--only", help="ids, comma separated: D1,E2")
    parser.add_argument("--no-interop", action="store_true", help="leave out the official libraries, which are fetched")
    given = parser.parse_args(arguments)
    wanted = None if given.only is None else {name.strip().upper() for name in given.only.split(",")}
    rows = tuple(row for row in ROWS if wanted is None or row.id in wanted)
    if not rows:
        parser.error(f"--only {given.only}: there are {', '.join(dict.fromkeys(row.id for row in ROWS))}")
    tally = Tally()
    code = pytest.main(_words(rows), plugins=[tally])
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(table(rows, tally))
    # Not before the run: pytest refuses to rewrite the asserts of a client's plugin that was imported already.
    from tests.support.ssrf import LEGAL, REFUSED

    corpus = f"the corpus of URLs: {len(REFUSED)} ways inside, {len(LEGAL)} legal"
    console.print(f"traps set {tally.traps}, hit {tally.hits} times; {corpus}")
    good = code == pytest.ExitCode.OK and not tally.hits and all(tally.of(row).good for row in rows)
    if not given.no_interop and (wanted is None or "E1" in wanted):
        good = _interop(console) and good
    console.print("all passed" if good else "[bold red]NOT all passed[/]")
    return 0 if good else 1


def table(rows: Sequence[Row], tally: Tally) -> Table:
    """Return the table for people; a row without a case that passed is marked."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("")
    made.add_column("what is tried")
    for name in ("cases", "passed", "failed", "not run", ""):
        made.add_column(name, justify="right")
    last = ""
    for row in rows:
        counted = tally.of(row)
        verdict = "" if counted.good else "[bold red]FAILED[/]" if counted.failed else "[bold red]NONE[/]"
        figures = (counted.tried, counted.passed, counted.failed, counted.skipped)
        made.add_row(row.id if row.id != last else "", row.what, *map(str, figures), verdict)
        last = row.id
    return made


def _words(rows: tuple[Row, ...]) -> list[str]:
    tests = [str(ROOT / test) for test in selected(rows)]
    return ["-q", "-n", "2", "-p", "tools.hostile.plugin", "-c", str(ROOT / "pyproject.toml"), *tests]


def _interop(console: Console) -> bool:
    """Run the official libraries; True also where their toolchains are missing, which is said."""
    missing = sorted({program for language in LANGUAGES for program in language.missing})
    if missing:
        console.print(f"official libraries of Standard Webhooks: not run, this machine lacks {', '.join(missing)}")
        return True
    console.print("official libraries of Standard Webhooks (make interop):")
    return subprocess.run([sys.executable, "-m", "tools.interop"], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
