"""Many domains in one process: a receiver that listens on many ports, each a lane of its own, with one log.

``python -m tests.support.domains --count 40 --log FILE`` prints the base URLs as one line of JSON and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.support.arrival_log import LoggedArrival, read_arrivals
from tests.support.receiver import serve
from tests.support.waiting import until

_START_S = 15.0
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Domains:
    """A running process: the base URL of each domain, and what has arrived at all of them so far."""

    urls: Sequence[str]
    log: Path

    def arrivals(self) -> list[LoggedArrival]:
        """Return what is in the log; it lags the calls by at most 50 ms."""
        return read_arrivals(self.log)


@asynccontextmanager
async def many_domains(count: int, log: Path, *, heads: bool = False) -> AsyncIterator[Domains]:
    """Run the process; it ends, and its log is complete, when the context does. ``heads`` logs requests' heads too."""
    said = log.with_suffix(".urls")
    process = _start(count, log, said, *(["--heads"] if heads else []))
    try:
        await until(lambda: said.read_text().endswith("\n") or process.poll() is not None, _START_S)
        assert process.poll() is None, "the receiver's process ended before it said its URLs; its words are above"
        yield Domains(json.loads(said.read_text()), log)
    finally:
        process.terminate()
        process.wait()


def _start(count: int, log: Path, said: Path, *more: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "tests.support.domains", "--count", str(count), "--log", str(log), *more]
    with said.open("wb") as out:
        return subprocess.Popen(words, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=out)


def main() -> None:
    """Run the receivers until SIGTERM."""
    parser = argparse.ArgumentParser(description="A fast HTTP receiver on many ports that logs its arrivals.")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--heads", action="store_true", help="log each request's head as it came")
    args = parser.parse_args()
    uvloop.run(serve([0] * args.count, args.log, json.dumps, heads=args.heads))


if __name__ == "__main__":
    main()
