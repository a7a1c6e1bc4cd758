"""What the last lines of a dead broker's log are taken for."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from streamer.adapters.broker import errors

HERE = Path("/data")


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        ("java.io.IOException: No space left on device", errors.DiskFull, "no space left on the disk of /data"),
        ("java.nio.file.FileSystemException: Disk quota exceeded", errors.DiskFull, "--data-dir"),
        ("failed to bind to 127.0.0.1:9093: Address already in use.", errors.PortTaken, "port 9093"),
        ("Failed to acquire lock on file .lock in /data/logs.", errors.DataDirLocked, "another Kafka"),
        ("java.nio.file.AccessDeniedException: /data/logs", errors.DataDirUnusable, "may not write to /data"),
        ("Error occurred during initialization of VM", errors.BrokerDied, "exit code 1; the last lines"),
    ],
)
def test_a_log_tells_the_reason(line: str, kind: type[errors.BrokerError], says: str) -> None:
    """Each known reason gives its own error, any other the last lines."""
    error = errors.from_log(1, ["INFO started", line], HERE, (9092, 9093))
    assert type(error) is kind
    assert says in str(error)


def test_an_unknown_reason_shows_the_last_lines_only() -> None:
    """The message stays short enough to be read."""
    frames = [f"\tat org.example.Class.method(Class.java:{n})" for n in range(50)]
    error = errors.from_log(-9, [*(f"line {n}" for n in range(100)), *frames], HERE, (9092,))
    assert "line 99" in str(error)
    assert "line 80" not in str(error)
    assert "Class.java" not in str(error)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, errors.DiskFull), (errno.EDQUOT, errors.DiskFull), (errno.EACCES, errors.DataDirUnusable)],
)
def test_operating_system_errors_become_ours(number: int, kind: type[errors.BrokerError]) -> None:
    """A full disk is told from missing rights."""
    assert type(errors.from_os_error(OSError(number, "text"), HERE)) is kind
