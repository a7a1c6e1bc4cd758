"""Real Redis servers for tests: started and killed by their own process id, with nothing on disk that outlives a test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from streamer.adapters.broker import lifeline, ports
from streamer.adapters.redis.client import RedisOptions
from tests.support.stopping import stop_process
from tests.support.waiting import until

HOST = "127.0.0.1"


class RedisServer:
    """One server on a port of its own, empty at each start."""

    def __init__(self, directory: Path, *options: str, tls: bool = False, sentinel: str = "") -> None:
        """Describe a server. ``sentinel`` is the configuration of one that is a Sentinel."""
        self.port = ports.pick()
        self._log = directory / f"redis-{self.port}.log"
        self._options = [*(["--tls-port", str(self.port), "--port", "0"] if tls else ["--port", str(self.port)])]
        self._options += ["--bind", HOST, "--dir", str(directory), *options]
        self._sentinel = directory / f"sentinel-{self.port}.conf" if sentinel else None
        if self._sentinel is not None:
            self._sentinel.write_text(sentinel)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def options(self) -> RedisOptions:
        """How the product reaches it, without TLS and as nobody."""
        return RedisOptions(((HOST, self.port),))

    @property
    def said(self) -> str:
        """Its log since it was started."""
        return self._log.read_text(errors="replace")

    async def start(self) -> None:
        """Start it and wait until it serves."""
        self._process = self._spawn()
        told = "+monitor" if self._sentinel else "Ready to accept connections"
        await until(lambda: told in self.said)

    def kill(self) -> None:
        """End it at once; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it take connections and answer nothing."""
        assert self._process is not None
        stop_process(self._process.pid)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def tell(self, *words: str | int) -> Any:
        """Carry out one command, and return its answer."""
        async with Redis(host=HOST, port=self.port, decode_responses=True) as client:
            return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # it has no types

    def _spawn(self) -> subprocess.Popen[bytes]:
        path = shutil.which("redis-server")
        assert path is not None, "these tests need the command redis-server: make deps"
        # A Sentinel writes to its configuration file, so it must have one; a plain server needs none.
        own = [str(self._sentinel), "--sentinel"] if self._sentinel else ["--save", "", "--appendonly", "no"]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid()), path, *own, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


@asynccontextmanager
async def running_redis(
    directory: Path, *options: str, tls: bool = False, sentinel: str = ""
) -> AsyncIterator[RedisServer]:
    """Run a server."""
    server = RedisServer(directory, *options, tls=tls, sentinel=sentinel)
    try:
        await server.start()
        yield server
    finally:
        server.kill()
