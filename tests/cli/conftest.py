"""Commands in tests: run in this process, in an empty directory, on the test's own topics."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from streamer.cli.app import app
from streamer.wire.topics import Topics
from tests.support.broker import RunningKafka


@dataclass(frozen=True, slots=True)
class Run:
    """What one command came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """Its output, line by line."""
        return self.stdout.splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.lines]


#: Runs a command with these arguments, and what it reads from stdin.
Cli = Callable[..., Run]


def environment(bootstrap: str, topics: Topics) -> dict[str, str]:
    """Return the settings of a test's installation."""
    return {
        "STREAMER_KAFKA__BOOTSTRAP_SERVERS": bootstrap,
        "STREAMER_KAFKA__PREFIX": topics.prefix,
        "STREAMER_TOPICS__PARTITIONS": str(topics.partitions),
        "STREAMER_TIERS": "1s 2s",
    }


@pytest.fixture
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty directory, without settings from the developer's own environment."""
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(own_directory: Path, kafka: RunningKafka, topics: Topics) -> Cli:
    """Return what runs `streamer` on the test's topics."""
    return runs(environment(kafka.bootstrap, topics))


def runs(env: dict[str, str]) -> Cli:
    """Return what runs `streamer` with settings from this environment."""

    def run(*arguments: str, stdin: str | None = None, **more: str) -> Run:
        words: Sequence[str] = [str(argument) for argument in arguments]
        result = CliRunner().invoke(app, words, input=stdin, env=env | more)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Run(result.exit_code, result.stdout, result.stderr)

    return run
