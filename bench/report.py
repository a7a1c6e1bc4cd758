"""A run's figures as lines for people, and as a file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bench.machine import facts

RESULTS = Path(__file__).parent / "results"
#: More than the machine's own housekeeping.
BUSY_CORES = 0.15


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of what a test shows; ``holds`` is None where nothing is promised."""

    text: str
    holds: bool | None = None

    def __str__(self) -> str:
        """Return the line, its verdict first."""
        verdict = {None: "", True: "ok", False: "FALLS SHORT"}[self.holds]
        return f"  {verdict:<11}  {self.text}"


def conclude(module: str, shown: Sequence[Shown], figures: Mapping[str, Any], others_cores: float) -> NoReturn:
    """Write a test's figures down, tell what they were measured on, and end with 1 if a promise is not kept."""
    machine = facts()
    report = {"command": " ".join([f"python -m {module}", *sys.argv[1:]]), "machine": machine, "figures": figures}
    write(report, f"{module.rpartition('.')[2]}-{time.strftime('%Y%m%dT%H%M%S')}")
    print(machine_line(machine, others_cores))
    sys.exit(verdict(shown))


def machine_line(machine: Mapping[str, Any], others_cores: float) -> str:
    """Return what figures were measured on."""
    changed = f" with {machine['changed_files']} files changed" if machine["changed_files"] else ""
    return f"{machine['cores']} cores, of which others used {others_cores}; commit {machine['commit']}{changed}"


def verdict(shown: Sequence[Shown]) -> int:
    """Say how many promises are not kept; return 1 if any, else 0."""
    short = sum(each.holds is False for each in shown)
    if promised := sum(each.holds is not None for each in shown):
        print(f"{short} of {promised} fall short" if short else "all hold")
    return 1 if short else 0


def write(report: Mapping[str, Any], name: str) -> None:
    """Write a run's figures to ``bench/results``."""
    path = ignored(RESULTS) / f"{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    print(f"wrote {path.relative_to(RESULTS.parents[1])}", file=sys.stderr)


def ignored(folder: Path) -> Path:
    """Make a folder that is nothing for the history of the code: figures of one machine at one time."""
    folder.mkdir(exist_ok=True)
    (folder / ".gitignore").write_text("*\n", "ascii")
    return folder
