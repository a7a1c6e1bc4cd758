"""One command for one question: a broker of its own, the measurement, its table, its file, its verdict."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console
from rich.table import Table

from bench.machine import Others, facts
from bench.report import BUSY_CORES, Shown, machine_line, verdict, write
from bench.rig import Rig, rig

_begun_s = time.monotonic()


@dataclass(frozen=True, slots=True)
class Part:
    """What a question came to: tables for people, figures for files, and what is promised of them."""

    tables: Sequence[Table]
    figures: Mapping[str, Any]
    shown: Sequence[Shown] = ()


def say(text: str) -> None:
    """Tell what is being done, and when it began."""
    print(f"{time.monotonic() - _begun_s:6.1f} s  {text}", file=sys.stderr, flush=True)


def parser(module: str, doc: str | None) -> argparse.ArgumentParser:
    """Return a command's flags, with those that all have."""
    made = argparse.ArgumentParser(prog=f"python -m bench.{module}" if module else "python -m bench", description=doc)
    made.add_argument("--seed", type=int, default=1, help="decides the order of the domains")
    return made


def alone(module: str, args: argparse.Namespace, measure: Callable[[Rig], Awaitable[Mapping[str, Part]]]) -> NoReturn:
    """Measure on a broker of its own, print, write the figures down, and end with 1 if a promise is not kept."""
    # A producer says so when it asks for a leader too early, and asks again.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    load_1m, others = round(os.getloadavg()[0], 2), Others()

    async def run(directory: Path) -> Mapping[str, Part]:
        say("starting the broker")
        async with rig(directory) as made:
            return await measure(made)

    with tempfile.TemporaryDirectory(prefix="streamer-bench-") as directory:
        parts = asyncio.run(run(Path(directory)))
    others_cores, machine = others.cores(), facts() | {"load_1m_before": load_1m}
    name = f"bench.{module}" if module else "bench"
    report = {
        "command": " ".join([f"python -m {name}", *sys.argv[1:]]),
        "machine": machine | {"others_cores": others_cores},
        "seed": args.seed,
        "figures": {part: each.figures for part, each in parts.items()},
        "shown": [str(line) for each in parts.values() for line in each.shown],
    }
    write(report, f"{module or 'bench'}-{time.strftime('%Y%m%dT%H%M%S')}")
    # A pipe has no width, and a table cut to 80 columns says nothing.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    for each in parts.values():
        for table in each.tables:
            console.print(table, "")
    shown = [line for each in parts.values() for line in each.shown]
    print(*shown, sep="\n")
    if others_cores > BUSY_CORES:
        print("BUSY: other programs used this machine; rates and latencies are worse than they would be; measure again")
    print(
        f"{machine_line(machine, others_cores)}; load {load_1m} before; Kafka {machine['kafka']}, Python {machine['python']}"
    )
    sys.exit(verdict(shown))
