"""Bad links: toxiproxy between workers and what they speak to, which slows, cuts and swallows what passes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx

from bench.faults.case import NotMade
from bench.faults.ground import Ground
from streamer.adapters.broker import lifeline, ports
from streamer.adapters.broker.config import BrokerOptions
from streamer.adapters.broker.server import EmbeddedBroker
from tests.support.stopping import stop_process

#: Pinned: its toxics are the measure.
TOXIPROXY = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.9.0"
_BIN = Path(__file__).parents[2] / ".build" / "toxiproxy"
_BUILD_S = 300.0
_START_S = 10.0
_LOOK_S = 0.05

Stream = Literal["upstream", "downstream"]


class Links:
    """All links of one proxy process: they have their troubles together."""

    def __init__(self, process: subprocess.Popen[bytes], client: httpx.AsyncClient) -> None:
        """Wrap a process that answers."""
        self._process = process
        self._client = client
        self._names: list[str] = []
        self._toxics: list[tuple[str, str]] = []

    async def through(self, upstream: str, port: int = 0) -> str:
        """Return the address, host:port, at which another one is now reached over a link of ours."""
        name = f"link{len(self._names)}"
        wanted = {"name": name, "listen": f"{ports.LOOPBACK}:{port}", "upstream": upstream, "enabled": True}
        made = await self._client.post("/proxies", json=wanted)
        made.raise_for_status()
        self._names.append(name)
        return str(made.json()["listen"])

    async def urls(self, direct: Sequence[str]) -> Sequence[str]:
        """Return base URLs that lead over links to these."""
        return [f"http://{await self.through(urlsplit(url).netloc)}" for url in direct]

    async def trouble(self, kind: str, stream: Stream, share: float = 1.0, **attributes: int) -> None:
        """Put a toxic on every link; ``share`` of its connections have it."""
        for name in self._names:
            toxic = {"type": kind, "stream": stream, "toxicity": share, "attributes": attributes}
            made = await self._client.post(f"/proxies/{name}/toxics", json=toxic)
            made.raise_for_status()
            self._toxics.append((name, made.json()["name"]))

    async def heal(self) -> None:
        """Take all toxics away."""
        for name, toxic in self._toxics:
            (await self._client.delete(f"/proxies/{name}/toxics/{toxic}")).raise_for_status()
        self._toxics.clear()

    async def cut(self) -> None:
        """Close all connections, and refuse new ones until they are mended."""
        await self._enable(enabled=False)

    async def mend(self) -> None:
        """Let connections through again."""
        await self._enable(enabled=True)

    def freeze(self) -> None:
        """Let nothing pass, in no direction, and lose nothing: connections stay open, and new ones are never answered."""
        stop_process(self._process.pid)

    def thaw(self) -> None:
        """Let pass what has waited, and all that follows."""
        self._process.send_signal(signal.SIGCONT)

    async def _enable(self, *, enabled: bool) -> None:
        for name in self._names:
            (await self._client.post(f"/proxies/{name}", json={"enabled": enabled})).raise_for_status()


@asynccontextmanager
async def links(directory: Path) -> AsyncIterator[Links]:
    """Run a proxy; it ends with the context, or with us."""
    binary, port = await asyncio.to_thread(_binary), ports.pick()
    process = _started(binary, port, directory / f"links-{port}.log")
    try:
        async with httpx.AsyncClient(base_url=f"http://{ports.LOOPBACK}:{port}", trust_env=False, timeout=10) as client:
            await _answering(client)
            yield Links(process, client)
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


@asynccontextmanager
async def far_broker(ground: Ground, link: Links) -> AsyncIterator[tuple[Ground, str]]:
    """Run a broker that workers reach over a link, at the address returned, and we directly."""
    direct, inner, controller, outer = (ports.pick() for _ in range(4))
    host = ports.LOOPBACK
    overrides = {
        "listeners": f"PLAINTEXT://{host}:{direct},FAR://{host}:{inner},CONTROLLER://{host}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{host}:{direct},FAR://{host}:{outer}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT",
    }
    options = BrokerOptions(ground.directory / "far", direct, controller, overrides=overrides)
    broker = EmbeddedBroker(options)
    await asyncio.to_thread(broker.start)
    try:
        await link.through(f"{host}:{inner}", outer)
        yield replace(ground, broker=broker), f"{host}:{outer}"
    finally:
        await asyncio.to_thread(broker.stop)


def _started(binary: Path, port: int, log: Path) -> subprocess.Popen[bytes]:
    command = [str(binary), "-host", ports.LOOPBACK, "-port", str(port)]
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "LOG_LEVEL": "error"},
        )


async def _answering(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(_START_S):
        while True:
            try:
                (await client.get("/version")).raise_for_status()
            except httpx.TransportError:
                await asyncio.sleep(_LOOK_S)
            else:
                return


def _binary() -> Path:
    """Return the proxy's program, built once from its pinned source."""
    binary = _BIN / "server"
    if binary.exists():
        return binary
    if (go := shutil.which("go")) is None:
        raise NotMade("toxiproxy is built from its source: that takes the command go")
    built = subprocess.run(
        [go, "install", TOXIPROXY],
        env={**os.environ, "GOBIN": str(_BIN)},
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
    )
    if built.returncode:
        raise NotMade(f"toxiproxy cannot be built: {built.stderr.strip()[-500:]}")
    return binary
