"""SIGSTOP that has taken effect: the signal is on its way for as long as the machine has no time for the thread it meets."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

_WITHIN_S = 30.0
_LOOK_S = 0.001


def stop_process(pid: int) -> None:
    """Stop process ``pid`` of this machine, and return once each of its threads stands still.

    One thread takes the signal for all; until it is run, the others go on, and a broker still answers.
    """
    os.kill(pid, signal.SIGSTOP)
    by = time.monotonic() + _WITHIN_S
    while moving := _moving(pid):
        if time.monotonic() > by:
            raise TimeoutError(f"{moving} threads of process {pid} did not stop within {_WITHIN_S} s")
        time.sleep(_LOOK_S)


def _moving(pid: int) -> int:
    states = (_state(each) for each in Path(f"/proc/{pid}/task").iterdir())
    # proc(5): T stopped, t stopped by a tracer, Z and X ended.
    return sum(state not in "TtZX" for state in states)


def _state(thread: Path) -> str:
    try:
        # The name in brackets may hold spaces and brackets itself.
        return (thread / "stat").read_text().rpartition(") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
