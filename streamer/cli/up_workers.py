"""The workers of `streamer up`: processes that end with it, whatever it dies of, and whose end is noticed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from streamer.adapters.broker import lifeline

#: A drain of 8 s, and what a loaded machine adds to it.
_STOP_S = 20.0
_TAIL_BYTES = 4_000


class Workers:
    """Runs ``count`` workers on one settings file; each writes its log to ``root/worker-N.log``.

    ``environment`` is theirs, with the secrets that stand in no file.
    """

    def __init__(
        self, config: Path, root: Path, count: int, environment: Mapping[str, str], on_ready: Callable[[int, int], None]
    ) -> None:
        self.failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ready = asyncio.Event()
        self._config = config
        self._root = root
        self._count = count
        self._environment = environment
        self._on_ready = on_ready
        self._processes: list[asyncio.subprocess.Process] = []
        self._watches: list[asyncio.Task[None]] = []
        self._waiting_for = set(range(count))

    def log_file(self, number: int) -> Path:
        """Return where a worker's log stands; the log of the run before is gone."""
        return self._root / f"worker-{number}.log"

    async def start(self) -> None:
        """Start all; ``ready`` is set once each owns its partitions, ``failure`` has a value when one ends."""
        for number in range(self._count):
            with self.log_file(number).open("wb") as log:
                process = await self._start(number, log)
            self._processes.append(process)
            self._watches.append(asyncio.create_task(self._watch(number, process)))

    async def stop(self) -> None:
        """Let all drain; one that does not end in time is killed."""
        for watch in self._watches:
            watch.cancel()
        for process in self._alive():
            process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                for process in self._processes:
                    await process.wait()
        self.kill()
        for process in self._processes:
            # communicate, not wait: it also closes the pipe.
            with contextlib.suppress(ValueError):
                await process.communicate()

    def kill(self) -> None:
        """End those that still run, at once."""
        for process in self._alive():
            process.kill()

    async def _start(self, number: int, log: IO[bytes]) -> asyncio.subprocess.Process:
        worker = [sys.executable, "-m", "streamer", "--config", str(self._config), "worker", "--json"]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid())),
            *(*worker, "--processes", "1", "--name", str(number)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env=self._environment,
            # A session of its own: Ctrl-C reaches us alone, and a worker takes a second signal for "at once".
            start_new_session=True,
        )

    async def _watch(self, number: int, process: asyncio.subprocess.Process) -> None:
        while (code := await self._end_of(number, process)) == 0:
            # By worker.max_memory or worker.max_age: nobody else has asked it to end.
            with self.log_file(number).open("ab") as log:
                process = self._processes[number] = await self._start(number, log)
        if not self.failure.done():
            self.failure.set_result(f"worker {number} ended with exit code {code}: {self._last_words(number)}")

    async def _end_of(self, number: int, process: asyncio.subprocess.Process) -> int:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            with contextlib.suppress(ValueError):
                self._heard(number, process.pid, json.loads(line))
        return await process.wait()

    def _heard(self, number: int, pid: int, event: object) -> None:
        if isinstance(event, dict) and event.get("event") == "worker.ready":
            self._on_ready(number, pid)
            self._waiting_for.discard(number)
            if not self._waiting_for:
                self.ready.set()

    def _last_words(self, number: int) -> str:
        path = self.log_file(number)
        lines = path.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").splitlines()
        return "\n".join([f"the last lines of {path}:", *(f"  {line}" for line in lines[-12:])])

    def _alive(self) -> list[asyncio.subprocess.Process]:
        return [process for process in self._processes if process.returncode is None]
