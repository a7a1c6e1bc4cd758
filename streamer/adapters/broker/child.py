"""A child process whose output is kept, and that does not outlive us."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from typing import IO

from streamer.adapters.broker import lifeline

KEPT_LINES = 200
LOG_BYTES_MAX = 16 * 1024 * 1024


class Child:
    """One run of a program. Its output goes to a file of bounded size, and its last lines stay in memory.

    The lines in memory tell of a full disk, which the file on that disk cannot.
    """

    def __init__(self, command: Sequence[str], log_file: Path) -> None:
        self._command = [sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid()), *command]
        self._log_file = log_file
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = Event()
        self._ended = Event()
        self._error: OSError | None = None
        # The kernel ties a child to the *thread* that forked it: this one lives exactly as long as the child.
        self._thread = Thread(target=self._run, name="broker-output", daemon=True)

    def start(self) -> None:
        """Start the program; raises OSError if that is not possible."""
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise self._error
        atexit.register(self.kill)

    @property
    def pid(self) -> int | None:
        """The process id while the program runs."""
        return self._process.pid if self._process is not None and not self._ended.is_set() else None

    @property
    def exit_code(self) -> int | None:
        """The exit code once the program has ended; negative: ended by that signal."""
        return self._process.returncode if self._process is not None and self._ended.is_set() else None

    def last_lines(self) -> list[str]:
        """Return the newest lines of output, oldest first."""
        return list(self._lines)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the program has ended; False if it still runs after the time allowed."""
        return self._ended.wait(timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Ask the program to end, and end it if it has not after the time allowed."""
        self._signal(signal.SIGTERM)
        if not self.wait(timeout_s):
            self.kill()

    def kill(self) -> None:
        """End the program at once, and return when it is gone."""
        self._signal(signal.SIGKILL)
        self._ended.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and not self._ended.is_set():
            self._process.send_signal(number)

    def _run(self) -> None:
        try:
            # A session of its own: Ctrl-C reaches us alone, and we decide when the broker goes.
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._error = error
            self._ended.set()
            return
        finally:
            self._started.set()
        with self._process as process:
            assert process.stdout is not None
            self._keep_output(process.stdout)
        self._ended.set()
        atexit.unregister(self.kill)

    def _keep_output(self, output: IO[bytes]) -> None:
        log = _BoundedLog(self._log_file)
        for line in output:
            self._lines.append(line.decode("utf-8", "replace").rstrip())
            log.write(line)
        log.close()


class _BoundedLog:
    """A file that is moved aside to `.1` when it is full; a disk that takes no more is not an error here."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        self._file: IO[bytes] | None = None
        self._open()

    def write(self, line: bytes) -> None:
        if self._size > LOG_BYTES_MAX:
            self.close()
            self._open()
        self._size += len(line)
        try:
            if self._file is not None:
                self._file.write(line)
        except OSError:
            pass

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        self._size = 0
        try:
            if self._path.exists():
                os.replace(self._path, self._path.with_name(self._path.name + ".1"))
            self._file = self._path.open("wb", buffering=0)
        except OSError:
            self._file = None
