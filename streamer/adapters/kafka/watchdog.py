"""Ends a process that has work and makes no progress, so that another may take its place (RULES 36).

A thread of its own: a loop that is stuck cannot watch itself. It acts only while the broker answers; while it does not,
nobody makes progress, and a new process would make none either.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from streamer.core.window import Window

log = logging.getLogger(__name__)

#: How a process ended by its watchdog exits (EX_SOFTWARE in sysexits.h).
EXIT_CODE = 70
_CONNECT_S = 2.0
_SAYS = "{owed} records are owed and none was finished for {for_s:.0f} s"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many records were ever finished, an end or a deferral alike, and how many are in hand or wait to be read."""

    finished: int
    owed: int


class Watchdog:
    """Looks now and then whether what is owed gets less or is at least worked on."""

    def __init__(
        self,
        progress: Callable[[], Progress],
        broker_answers: Callable[[], bool],
        *,
        patience_s: float,
        says: str = _SAYS,
        end: Callable[[], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._broker_answers = broker_answers
        self._patience_s = patience_s
        #: What it says before it ends the process, of ``owed`` and ``for_s``.
        self._says = says
        self._end = end or _end_process
        self._monotonic = monotonic
        self._last = Progress(-1, 0)
        self._moved_at = monotonic()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look; a patience of 0 never does."""
        if self._patience_s:
            self._moved_at = self._monotonic()
            self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(_CONNECT_S + 1)
            self._thread = None

    def look(self) -> bool:
        """Look once; True when the process was told to end."""
        now, found = self._monotonic(), self._progress()
        if found.finished != self._last.finished or not found.owed:
            self._last, self._moved_at = found, now
            return False
        if now - self._moved_at < self._patience_s:
            return False
        if not self._broker_answers():
            # Patience begins again when it answers: what waited for it needs its time.
            self._moved_at = now
            return False
        log.critical("%s", self._says.format(owed=found.owed, for_s=now - self._moved_at))
        self._end()
        return True

    def _run(self) -> None:
        looked_at = self._monotonic()
        while not self._stopped.wait(min(5.0, self._patience_s / 4)):
            now = self._monotonic()
            if now - looked_at > self._patience_s / 2:
                # The whole process stood still, by a signal or a machine that slept: what it watches has its time anew.
                self._moved_at = now
            looked_at = now
            if self.look():
                return


def any_answers(bootstrap: str) -> Callable[[], bool]:
    """Return whether a connection to any of the brokers, host:port separated by commas, comes about."""
    places = [_place(written.strip()) for written in bootstrap.split(",")]

    def answers() -> bool:
        return any(_connects(place) for place in places)

    return answers


def progress_of(windows: Iterable[Window], lag: int) -> Progress:
    """Return the progress over the windows of an assignment; ``lag`` is what has not even been read."""
    # The loop changes them meanwhile: a copy, and figures that need not be of one moment.
    found = list(windows)
    return Progress(sum(window.finished for window in found), sum(window.unfinished for window in found) + lag)


def _place(written: str) -> tuple[str, int]:
    host, _, port = written.rpartition(":")
    return host.strip("[]"), int(port)


def _connects(place: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(place, timeout=_CONNECT_S):
            return True
    except OSError:
        return False


def _end_process() -> None:
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    sys.stderr.flush()
    # Not sys.exit: it would only end this thread, and the loop may be stuck.
    os._exit(EXIT_CODE)
