"""Tells people what the oracle found, and judges a finished run again by its files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.oracle import Verdict
from bench.oracle_values import Anomaly
from bench.run_ledgers import Ledgers

_MOST_STORIES = 50


def rows(verdict: Verdict) -> list[tuple[str, object]]:
    """Return what was counted, each with its name; a kind that was not judged says so."""
    share = verdict.duplicate_calls / max(1, verdict.tasks)
    return [
        ("tasks acknowledged", verdict.tasks),
        ("ends", ", ".join(f"{count} {state}" for state, count in sorted(verdict.ends.items()))),
        *((kind.value, len(verdict.anomalies[kind]) if kind in verdict.judged else "not judged") for kind in Anomaly),
        ("calls", verdict.calls),
        ("late", str(verdict.lateness)),
        ("sent again", f"{verdict.duplicate_calls} ({share:.2%})"),
        ("sent again after a success", verdict.resent_after_success),
        ("results repeated, same event id", verdict.repeated_results),
        *((f"fault {number}", str(each)) for number, each in enumerate(verdict.shares, 1)),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Judge the run whose ledgers are in a directory, print what was found, and exit 1 when anything was."""
    parser = argparse.ArgumentParser(prog="python -m bench.oracle", description="Judge a finished run by its ledgers.")
    parser.add_argument("directory", type=Path, help="where the ledgers of one run are")
    args = parser.parse_args(arguments)
    try:
        verdict = Ledgers.read(args.directory).judged()
    except FileNotFoundError as error:
        parser.error(str(error))
    print(*(f"{name:<32} {value}" for name, value in rows(verdict)), sep="\n")
    print(*verdict.stories[:_MOST_STORIES], sep="\n")
    print("clean" if verdict.clean else "NOT CLEAN")
    sys.exit(0 if verdict.clean else 1)
