"""What the machine tells: a process's CPU and memory, the load, the versions."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from streamer.adapters.broker import artifacts

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
_PACKAGES = ("streamer", "aiokafka", "faust-streaming", "pyreqwest", "uvloop", "orjson")


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU of a process up to now, all its threads, in ms; of user and kernel."""

    user_ms: float
    system_ms: float

    @property
    def ms(self) -> float:
        """Both together."""
        return self.user_ms + self.system_ms

    def since(self, before: Cpu) -> Cpu:
        """Return what was used since an earlier look."""
        return Cpu(self.user_ms - before.user_ms, self.system_ms - before.system_ms)


def cpu(pid: int) -> Cpu:
    """Return the CPU that a process has used."""
    # The name, in brackets, may hold anything; the fields are counted from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Cpu(int(fields[11]) * _TICK_MS, int(fields[12]) * _TICK_MS)


def peak_rss_mib(pid: int) -> float:
    """Return the most memory that a process has held, since ``forget_peak`` if that was called."""
    return _status_mib(pid, "VmHWM")


def rss_mib(pid: int) -> float:
    """Return the memory that a process holds now."""
    return _status_mib(pid, "VmRSS")


def forget_peak(pid: int) -> None:
    """Let the most memory that a process has held be counted from now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _status_mib(pid: int, field: str) -> float:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


class Others:
    """How many cores everybody else on the machine has used since this was made; figures beside many say little."""

    def __init__(self) -> None:
        """Begin now."""
        self._begun_s, self._all_ms, self._own_ms = time.monotonic(), _all_ms(), _own_ms()

    def cores(self) -> float:
        """Return the mean so far; what a hypervisor took away counts too."""
        foreign_ms = (_all_ms() - self._all_ms) - (_own_ms() - self._own_ms)
        return round(max(0.0, foreign_ms) / 1000 / (time.monotonic() - self._begun_s), 2)


def _all_ms() -> float:
    """Return the CPU that the machine has used: user, nice, system, interrupts and stolen, without guests twice."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * _TICK_MS


def _own_ms() -> float:
    """Return the CPU of this process and all it has started; what has ended is in its parent's account."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(fields[1])
            used[int(path.parent.name)] = sum(int(text) for text in fields[11:15])
    own = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    return sum(used.get(pid, 0) for pid in own) * _TICK_MS


def facts() -> dict[str, Any]:
    """Return what the figures depend on besides the code."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "kafka": artifacts.kafka_version(),
        "packages": {name: version(name) for name in _PACKAGES},
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed_files": len(_git("status", "--porcelain", "--", "streamer").splitlines()),
    }


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip()
