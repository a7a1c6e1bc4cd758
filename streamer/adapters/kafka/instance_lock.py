"""Locks an instance id on this machine: Kafka does not fence two members of one name (RULES 17)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class InstanceTaken(Exception):
    """Another process on this machine runs under the instance id."""


class InstanceLock:
    """Held by the process until it ends, however it ends."""

    def __init__(self, path: Path, instance_id: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise InstanceTaken(
                f"worker.instance_id {instance_id!r} is in use by another process on this machine ({path}); "
                "give each worker its own"
            ) from error
