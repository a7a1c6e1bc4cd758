"""Shows that our signatures and those of the official Standard Webhooks libraries are the same, and runs the examples.

`python -m tools.interop` builds a driver per language under `.build/interop` with the library from its registry, gives it
1,300 bodies that we signed, 200 more by ed25519, and 1,800 calls that were tampered with, and prints what was tried and passed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.interop.cases import Case, cases
from tools.interop.count import COLUMNS, Count, count
from tools.interop.languages import LANGUAGES, ROOT, Language, NotReady

SHOWN_FAILURES = 5
TIMEOUT_S = 240


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 1 when a case fails, or a language cannot be run."""
    parser = argparse.ArgumentParser(prog="make interop", description=__doc__)
    parser.add_argument("--only", help="languages, comma separated")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args(arguments)
    wanted = [name.strip().lower() for name in given.only.split(",")] if given.only else None
    chosen = [each for each in LANGUAGES if wanted is None or each.name.lower() in wanted]
    scratch = ROOT / ".build" / "interop"
    commands = {language.name: _ready(language, scratch / language.name.lower()) for language in chosen}
    # Made once all is built: receivers refuse what is older than five minutes.
    made = cases(given.seed, int(time.time()))
    print(f"seed {given.seed}: {len(made)} cases, {sum(len(case.body) for case in made) / 1e6:.0f} MB of bodies\n")
    _heading()
    good = True
    for language in chosen:
        command = commands[language.name]
        good = (isinstance(command, list) and _tell(language, _answered(command, made))) and good
        if isinstance(command, str):
            print(f"{language.name:<11} not run: {command}")
    return 0 if good else 1


def _ready(language: Language, folder: Path) -> list[str] | str:
    """Return the driver's command, or why there is none."""
    if language.missing:
        return f"this machine has no {', '.join(language.missing)}"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"making {language.name} ready ...", file=sys.stderr)
    try:
        return language.make_ready(folder)
    except NotReady as error:
        return str(error)


def _answered(command: list[str], made: Sequence[Case]) -> Count:
    lines = "".join(f"{case.line}\n" for case in made)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    counted = count(made, done.stdout.splitlines(), int(time.time()))
    if done.returncode != 0:
        counted.failures.insert(0, f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return counted


def _heading() -> None:
    print(f"{'':<11} {'official library':<36} " + " ".join(f"{column:>23}" for column in COLUMNS))


def _tell(language: Language, counted: Count) -> bool:
    cells = [
        f"{counted.passed[column]} of {counted.tried[column]}" if counted.tried[column] else "-" for column in COLUMNS
    ]
    print(f"{language.name:<11} {language.library or '-':<36} " + " ".join(f"{cell:>23}" for cell in cells))
    if counted.text_only:
        print(f"{'':<11} takes text only: {counted.text_only} bodies that are not UTF-8 were not counted")
    for failure in counted.failures[:SHOWN_FAILURES]:
        print(f"{'':<11} FAILED {failure}")
    if len(counted.failures) > SHOWN_FAILURES:
        print(f"{'':<11} and {len(counted.failures) - SHOWN_FAILURES} more")
    return not counted.failures


sys.exit(main())
