"""The lock on an instance id: Kafka fences nobody, so a second worker of one name must not start (RULES 17)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamer.adapters.kafka.instance_lock import InstanceLock, InstanceTaken

HOLD = """
import sys
from pathlib import Path
from streamer.adapters.kafka.instance_lock import InstanceLock
lock = InstanceLock(Path(sys.argv[1]), "w-1")
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    """While another process holds the id the error names the setting; however that process ends, the id is free."""
    path = tmp_path / "locks" / "w-1.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(InstanceTaken, match=r"worker\.instance_id 'w-1' is in use by another process"):
            InstanceLock(path, "w-1")
        other.kill()
        other.wait()
    InstanceLock(path, "w-1")


def test_other_ids_are_free(tmp_path: Path) -> None:
    """Each id has a lock of its own."""
    InstanceLock(tmp_path / "w-1.lock", "w-1")
    InstanceLock(tmp_path / "w-2.lock", "w-2")


def test_the_lock_outlives_the_object(tmp_path: Path) -> None:
    """Nobody keeps the object for the process's life, and the id must stay locked nevertheless."""
    InstanceLock(tmp_path / "w-1.lock", "w-1")
    with pytest.raises(InstanceTaken):
        InstanceLock(tmp_path / "w-1.lock", "w-1")
