"""A worker in a process of its own, as operators run it: started, signalled, and ended by its process id."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.installation import ROOT, Installation, environment
from tests.support.stopping import stop_process
from tests.support.waiting import until

_READY_S = 90.0
#: A drain of 8 s, and what a loaded machine adds to it.
_END_S = 15.0
_TAIL = 6_000


class WorkerProcess:
    """A worker that was started. What it says stands in files, and in the error of a test that fails meanwhile."""

    def __init__(self, place: Installation, name: str, flags: tuple[str, ...], env: Mapping[str, str]) -> None:
        """Start the process, with some variables more in its environment; it is not ready yet."""
        self.name = name
        self.stdout = place.directory / f"worker-{name}.out"
        self.stderr = place.directory / f"worker-{name}.err"
        with self.stdout.open("wb") as out, self.stderr.open("ab") as err:
            # No pipes and no watcher of the loop's: both outlive a kill in ways that fail other tests.
            self._process = subprocess.Popen(
                place.command("worker", "--json", "--name", name, *flags),
                cwd=ROOT,
                # Who called is then seen in every arrival and result.
                env={**environment(), "STREAMER_HTTP__USER_AGENT": f"worker-{name}", **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    async def ready(self, within_s: float = _READY_S) -> WorkerProcess:
        """Return once it owns its partitions; AssertionError with its stderr when it ends before, or takes longer."""
        try:
            await until(lambda: self._said() or self.exit_code is not None, within_s)
        except TimeoutError:
            raise AssertionError(
                f"worker {self.name} is not ready after {within_s:g} s:\n{tail(self.stderr)}"
            ) from None
        line = self._said()
        assert line, f"worker {self.name} ended with {self.exit_code} before it was ready:\n{tail(self.stderr)}"
        assert json.loads(line) == {"event": "worker.ready", "pid": self.pid, "name": self.name}
        return self

    def stop(self) -> None:
        """Stop it as a debugger or an overloaded machine would: it does nothing more, and knows of nothing."""
        stop_process(self.pid)

    def go_on(self) -> None:
        """Let it go on after a stop."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> None:
        """Ask it to drain and end."""
        self._process.terminate()

    async def ended(self, within_s: float = _END_S) -> int:
        """Return its exit code once it has ended; AssertionError with its stderr when it takes longer."""
        try:
            await until(lambda: self.exit_code is not None, within_s)
        except TimeoutError:
            raise AssertionError(f"worker {self.name} still runs after {within_s:g} s:\n{tail(self.stderr)}") from None
        return self._process.wait()

    async def clear_away(self) -> None:
        """End it, if it still runs, by any means."""
        if self.exit_code is not None:
            return
        self.go_on()
        self.terminate()
        try:
            await self.ended()
        except AssertionError:
            self.kill()

    def _said(self) -> str:
        return self.stdout.read_text().partition("\n")[0]


@asynccontextmanager
async def worker_process(
    place: Installation, name: str = "0", *flags: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[WorkerProcess]:
    """Start a worker, not waiting until it is ready; it has ended when the context does."""
    worker = WorkerProcess(place, name, flags, env or {})
    try:
        yield worker
    except BaseException as error:
        error.add_note(f"worker {name} (pid {worker.pid}, exit code {worker.exit_code}) said:\n{tail(worker.stderr)}")
        raise
    finally:
        await worker.clear_away()


def tail(path: Path) -> str:
    """Return the last of what a process said."""
    return path.read_text(errors="replace")[-_TAIL:]
