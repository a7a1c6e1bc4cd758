"""Cases that need no broker of their own: the logic of offsets, acknowledgements and states, as tests (RELIABILITY §7 A)."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from bench.faults.case import Case, Finding, Scale
from bench.faults.ground import Ground
from tests.support.installation import ROOT, environment

_SUMMARY = re.compile(r"(?P<passed>\d+) passed(?:.*?(?P<xfailed>\d+) xfailed)?")


def _by_tests(*words: str) -> Callable[[Ground, Scale], Coroutine[Any, Any, Finding]]:
    """Return a case that is these tests; in full, generated ones try ten thousand examples in place of a hundred."""

    async def run(_: Ground, scale: Scale) -> Finding:
        profile = "many" if scale is Scale.FULL else "ci"
        began_s = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words),
            cwd=ROOT,
            env={**environment(), "HYPOTHESIS_PROFILE": profile},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _err = await process.communicate()
        text = out.decode(errors="replace")
        if process.returncode:
            sys.stderr.write(text)
        counted = _SUMMARY.search(text)
        passed = int(counted["passed"]) if counted else 0
        measured = f"{passed} tests passed in {time.monotonic() - began_s:.0f} s"
        if counted and counted["xfailed"]:
            measured += f"; {counted['xfailed']} fail as they must"
        if process.returncode:
            measured += f"; exit {process.returncode}"
        return Finding(measured, applied=passed > 0, holds=process.returncode == 0, figures={"tests": list(words)})

    return run


def _case(number: str, title: str, expected: str, tests: Sequence[str]) -> Case:
    return Case(number, title, expected, _by_tests(*tests), broker=False)


LOGIC = (
    _case(
        "A1",
        "records finish in any order: the window, and Faust's own tracker",
        "commit ≤ lowest unfinished; the stock tracker fails",
        ["tests/core/test_window_model.py", "tests/adapters/kafka/test_stock_tracker.py"],
    ),
    _case(
        "A2",
        "offsets are missing before a record in flight",
        "read again, or passed over and counted",
        ["tests/adapters/kafka/test_holes.py", "tests/core/test_window.py"],
    ),
    _case(
        "A3",
        "a crash at each of 12 points, in each of 8 stories",
        "the same end, at most one call more",
        ["tests/flow/test_crash_points.py"],
    ),
    _case(
        "A4",
        "writes that land and are reported as failed",
        "one end each, repeats absorbed",
        ["tests/simulation/test_seeds.py", "-k", "calm or storm"],
    ),
    _case(
        "A5",
        "records that cannot be read, of every kind",
        "a dead letter each, whole; all others delivered",
        ["tests/wire/test_request_fuzz.py", "tests/adapters/kafka/test_intake.py"],
    ),
    _case(
        "A6",
        "records of the first version read by this one",
        "none refused",
        ["tests/wire", "-k", "golden"],
    ),
    _case(
        "A7",
        "any sequence of transitions",
        "none that is not in the table, one end",
        ["tests/core/test_lifecycle.py", "tests/core/test_currency.py", "tests/core/test_control.py"],
    ),
)
