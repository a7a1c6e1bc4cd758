"""Does harm to a running installation, case by case, and tells what came of it: ``python -m bench.faults --only B1,B3``.

Cases have the numbers of the test plan in docs/reliability.md. Without ``--full`` each is as short as shows anything. Exits 1
when a case failed, or when its fault could not be made: such a run proves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from bench.faults.breakers import BREAKERS
from bench.faults.broker import BROKER
from bench.faults.case import Case, Finding, NotMade, Scale
from bench.faults.clocks import CLOCKS
from bench.faults.commands import COMMANDS
from bench.faults.disks import DISKS
from bench.faults.ground import Ground
from bench.faults.ladder import LADDER
from bench.faults.lasting import LASTING
from bench.faults.limits import LIMITS
from bench.faults.logic import LOGIC
from bench.faults.network import NETWORK
from bench.faults.offsets import OFFSETS
from bench.faults.oversize import OVERSIZE
from bench.faults.rebuild import REBUILD
from bench.faults.refusals import REFUSALS
from bench.faults.replay import REPLAY
from bench.faults.resources import RESOURCES
from bench.faults.timing import TIMING
from bench.faults.workers import WORKERS
from bench.machine import facts
from bench.report import write
from bench.run import say
from bench.tables import plain
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker

CASES: Sequence[Case] = (
    *LOGIC,
    *WORKERS,
    *REBUILD,
    *BROKER,
    *OFFSETS,
    *DISKS,
    *NETWORK,
    *RESOURCES,
    *LASTING,
    *LIMITS,
    *COMMANDS,
    *LADDER,
    *TIMING,
    *BREAKERS,
    *REPLAY,
    *REFUSALS,
    *OVERSIZE,
    *CLOCKS,
)


def chosen(only: str) -> list[Case]:
    """Return the cases of these numbers, or all; SystemExit names the numbers that there are."""
    wanted = [number.strip() for number in only.split(",") if number.strip()]
    known = {case.number: case for case in CASES}
    if unknown := [number for number in wanted if number not in known]:
        raise SystemExit(f"no case {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[number] for number in wanted] or list(CASES)


def tried(case: Case, directory: Path, seed: int, scale: Scale) -> Finding:
    """Run one case, on a broker of its own where it needs one; what it raises is its finding."""
    directory.mkdir()
    try:
        broker = EmbeddedBroker(BrokerOptions(directory / "kafka"))
        with broker if case.broker else nullcontext():
            return asyncio.run(case.run(Ground(broker, directory, seed), scale))
    except NotMade as error:
        return Finding(str(error), applied=False, holds=False)
    except Exception as error:
        traceback.print_exc()
        return Finding(f"{type(error).__name__}: {error}".partition("\n")[0], applied=True, holds=False)


def main() -> None:
    """Run the cases asked for, and print them as one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--only", default="", help="numbers of cases, between commas; all without it")
    parser.add_argument("--full", action="store_true", help="as long as is promised; hours, for all of them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, help="where ledgers and logs stay; else they are removed")
    args = parser.parse_args()
    scale = Scale.FULL if args.full else Scale.SHORT
    # A consumer of topics that were just made complains until they have leaders everywhere.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    found: dict[Case, tuple[Finding, float]] = {}
    with tempfile.TemporaryDirectory(prefix="streamer-faults-") as scratch:
        directory = args.directory or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        for case in chosen(args.only):
            say(f"{case.number}: {case.title}")
            began_s = time.monotonic()
            finding = tried(case, directory / case.number, args.seed, scale)
            found[case] = finding, time.monotonic() - began_s
            say(f"{case.number}: {finding.word}: {finding.measured}")
    sys.exit(concluded(found, scale, args.seed))


def concluded(found: dict[Case, tuple[Finding, float]], scale: Scale, seed: int) -> int:
    """Print the table, write the figures down, and return the exit code."""
    machine = facts()
    cases = {
        case.number: {
            "title": case.title,
            "expected": case.expected,
            "verdict": finding.word,
            "took_s": round(took_s, 1),
        }
        | {"measured": finding.measured, "figures": finding.figures}
        for case, (finding, took_s) in found.items()
    }
    command = " ".join(["python -m bench.faults", *sys.argv[1:]])
    write(
        {"command": command, "machine": machine, "seed": seed, "cases": cases},
        f"faults-{time.strftime('%Y%m%dT%H%M%S')}",
    )
    rows = [
        (case.number, case.title, case.expected, finding.measured, f"{took_s:.0f} s", finding.word)
        for case, (finding, took_s) in found.items()
    ]
    columns = ("", "fault", "expected", "measured", "took", "")
    width = None if sys.stdout.isatty() else 200
    Console(highlight=False, width=width).print(plain(f"faults, {scale}, seed {seed}", columns, rows))
    failed = sum(not finding.passed for finding, _ in found.values())
    print(f"commit {machine['commit']}; Kafka {machine['kafka']}, Python {machine['python']}")
    print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
