"""A disk of a few MiB that can be filled and freed: a tmpfs that no other process sees."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.faults.case import NotMade

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS of unshare(2)
_MIB = 1024 * 1024
_FILLER = "filler"
_seen: list[int] = []


class SmallDisk:
    """A file system with a bound."""

    def __init__(self, path: Path) -> None:
        """Wrap one that is mounted."""
        self.path = path

    @property
    def free_bytes(self) -> int:
        """What is left."""
        return shutil.disk_usage(self.path).free

    def fill(self, left_bytes: int = 0) -> None:
        """Take all that is left but so much."""
        with (self.path / _FILLER).open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, max(1, self.free_bytes - left_bytes))

    def free(self) -> None:
        """Give back what was taken."""
        (self.path / _FILLER).unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path, mib: int) -> Iterator[SmallDisk]:
    """Mount one in mounts of our own, which end with us; processes started from this thread, or below it, see it too."""
    path.mkdir(parents=True, exist_ok=True)
    _own_mounts()
    _run("mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", str(path))
    try:
        yield SmallDisk(path)
    finally:
        # Lazily: whoever still has a file open there must not keep the next case from starting.
        _run("umount", "--lazy", str(path))


def _own_mounts() -> None:
    """Leave the machine's mounts, once: what is mounted from here on is seen by nobody else."""
    if os.getpid() in _seen:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        raise NotMade(f"mounts of our own take root: {os.strerror(ctypes.get_errno())}")
    _run("mount", "--make-rprivate", "/")
    _seen.append(os.getpid())


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise NotMade(f"a small disk takes root: {str(error.stderr).strip()}") from error
