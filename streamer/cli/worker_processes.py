"""Several worker processes side by side: started, signalled, replaced when they have retired, and waited for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

from streamer.cli.console import err

Child = subprocess.Popen[bytes]


class WorkerProcesses:
    """``count`` processes that one parent keeps; ``start`` makes the one of a number.

    With ``renew`` a process that ends with 0 and was not asked to by us has retired, and gets a successor. Any other end stops
    them all, so that a supervisor sees it.
    """

    def __init__(self, count: int, start: Callable[[int], Child], *, renew: bool) -> None:
        self._start = start
        self._renew = renew
        self._asked = False
        self._children = {number: start(number) for number in range(count)}

    def run(self) -> int:
        """Pass signals on until all have ended; return the worst of their exit codes."""
        for ending in (signal.SIGTERM, signal.SIGINT):
            signal.signal(ending, self._pass_on)
        worst = 0
        while self._children:
            pid, status = os.wait()
            code = os.waitstatus_to_exitcode(status)
            number = next(number for number, child in self._children.items() if child.pid == pid)
            self._children[number].returncode = code
            if code == 0 and self._renew and not self._asked:
                self._succeed(number)
                continue
            del self._children[number]
            worst = max(worst, abs(code))
            if not self._asked:
                # Once only: a second signal would end those at once that still drain.
                self._pass_on(signal.SIGTERM, None)
        return worst

    def _succeed(self, number: int) -> None:
        err.print(f"worker {number} has ended by its limits: its successor is started")
        child = self._children[number] = self._start(number)
        if self._asked:
            # The signal came while the successor was made, and reached only the others.
            child.terminate()

    def _pass_on(self, number: int, _: Any) -> None:
        self._asked = True
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)
