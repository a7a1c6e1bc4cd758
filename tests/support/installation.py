"""One Streamer on the test's broker: its settings file, its topics, and the command line run on it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamer.adapters.kafka.topics import create_missing
from streamer.cli.setup import topics_of
from streamer.settings.load import load
from streamer.wire.topics import Topics
from tests.support.broker import delete_topics

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "streamer")
PARTITIONS = 4
#: The shortest that the settings allow.
SHORT_TIERS = "1s 2s"
_COMMAND_S = 30.0


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the broker is, and the settings file under which commands and workers find it and their topics.

    Each worker keeps its files in ``directory``, under its own name.
    """

    bootstrap: str
    prefix: str
    directory: Path
    partitions: int = PARTITIONS
    tiers: str = SHORT_TIERS

    @property
    def group(self) -> str:
        """What the names of the consumer groups begin with."""
        return self.prefix.rstrip(".")

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.directory / "streamer.toml"

    @property
    def topics(self) -> Topics:
        """The topics that the settings ask for."""
        return topics_of(load(self.config, environ={}).settings)

    def write_settings(self, **changed: str | int | float | bool) -> Installation:
        """Write the settings file: sessions of 6 s, loopback allowed; ``kafka__linger_ms=5`` sets ``kafka.linger_ms``."""
        settings: dict[str, str | int | float | bool] = {
            "tiers": self.tiers,
            "kafka.bootstrap_servers": self.bootstrap,
            "kafka.prefix": self.prefix,
            "kafka.group": self.group,
            "kafka.session_timeout_s": 6,
            "kafka.heartbeat_interval_s": 1,
            "kafka.drain_deadline_s": 5,
            "topics.partitions": self.partitions,
            "http.allow_private": True,
            "worker.data_dir": str(self.directory / "state"),
        }
        settings |= {name.replace("__", "."): value for name, value in changed.items()}
        # A dotted key is TOML as it stands, and JSON's texts, numbers and booleans are TOML's.
        self.config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
        return self

    def command(self, *arguments: str) -> list[str]:
        """Return the words of a command on this installation."""
        return [*COMMAND, "--config", str(self.config), *arguments]

    async def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
        """Run a command to its end, with some variables more in its environment; its lines count in tests of the CLI."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*arguments),
            cwd=ROOT,
            env={**uncounted(environment()), **(env or {})},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_COMMAND_S):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.communicate()
            raise
        return Run(process.returncode or 0, out.decode(), err.decode())


@dataclass(frozen=True, slots=True)
class Run:
    """What one command came to."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> Sequence[dict[str, Any]]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def environment() -> dict[str, str]:
    """Return this process's environment without settings: a developer's own must not reach a test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}


def uncounted(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which no coverage is taken: to begin it costs a short command half as much again."""
    return {name: value for name, value in environ.items() if not name.startswith("COVERAGE_")}


@asynccontextmanager
async def installed(place: Installation) -> AsyncIterator[Installation]:
    """Write the settings file and make the topics; they are deleted at the end."""
    place.write_settings()
    names = await create_missing(place.bootstrap, place.topics.specs())
    try:
        yield place
    finally:
        await delete_topics(place.bootstrap, names)
