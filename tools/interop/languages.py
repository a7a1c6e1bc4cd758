"""The languages of the run: how each one's driver is made ready with its official library, and what is run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = Path(__file__).resolve().parent / "drivers"
RECEIVERS = ROOT / "examples" / "receivers"

PYTHON, JAVASCRIPT, GO, RUST = "1.1.0", "1.1.1", "v0.0.1", "1.0.1"

_CARGO = f"""[package]
name = "driver"
version = "0.0.0"
edition = "2021"

[dependencies]
standardwebhooks = "={RUST}"
http = "1"
base64 = "0.22"
ring = "0.17"

[[bin]]
name = "driver"
path = "driver.rs"
"""


class NotReady(Exception):
    """A driver could not be built; the message is what the tool said last."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its official library, the programs that it needs, and what makes its driver ready in a folder.

    Making ready returns the command that reads cases from stdin.
    """

    name: str
    library: str
    programs: tuple[str, ...]
    make_ready: Callable[[Path], list[str]]

    @property
    def missing(self) -> list[str]:
        """The programs that this machine lacks."""
        return [program for program in self.programs if shutil.which(program) is None]


def _python(folder: Path) -> list[str]:
    _copy(folder, DRIVERS / "python.py", RECEIVERS / "python" / "webhook.py")
    return [sys.executable, str(folder / "python.py")]


def _javascript(folder: Path) -> list[str]:
    _copy(folder, DRIVERS / "javascript.mjs", RECEIVERS / "javascript" / "webhook.mjs")
    (folder / "package.json").write_text('{"private": true}\n')
    _run(["npm", "install", "--silent", "--no-audit", "--no-fund", f"standardwebhooks@{JAVASCRIPT}"], folder)
    return ["node", str(folder / "javascript.mjs")]


def _go(folder: Path) -> list[str]:
    _copy(folder, DRIVERS / "driver.go")
    (folder / "webhook").mkdir(exist_ok=True)
    _copy(folder / "webhook", RECEIVERS / "go" / "webhook.go")
    (folder / "go.mod").write_text("module streamer.test/interop\n\ngo 1.21\n")
    _run(["go", "get", f"github.com/standard-webhooks/standard-webhooks/libraries@{GO}"], folder)
    _run(["go", "build", "-o", "driver", "."], folder)
    return [str(folder / "driver")]


def _rust(folder: Path) -> list[str]:
    _copy(folder, DRIVERS / "driver.rs", RECEIVERS / "rust" / "webhook.rs")
    (folder / "Cargo.toml").write_text(_CARGO)
    _run(["cargo", "build", "--quiet", "--release"], folder)
    return [str(folder / "target" / "release" / "driver")]


def _java(folder: Path) -> list[str]:
    _copy(folder, DRIVERS / "Driver.java", RECEIVERS / "java" / "Webhook.java")
    _run(["javac", "-d", ".", "Driver.java", "Webhook.java"], folder)
    return ["java", "-cp", str(folder), "Driver"]


LANGUAGES = (
    Language("Python", f"standardwebhooks {PYTHON}", (), _python),
    Language("JavaScript", f"standardwebhooks {JAVASCRIPT}", ("node", "npm"), _javascript),
    Language("Go", f"standard-webhooks/libraries {GO}", ("go",), _go),
    Language("Rust", f"standardwebhooks {RUST}", ("cargo",), _rust),
    Language("Java", "", ("java", "javac"), _java),
)


def _copy(folder: Path, *files: Path) -> None:
    for file in files:
        shutil.copy(file, folder / file.name)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotReady(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-2_000:]}")
