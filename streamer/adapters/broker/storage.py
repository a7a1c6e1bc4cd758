"""The broker's data directory: locked while in use, checked for room, formatted once, kept between runs."""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from streamer.adapters.broker import errors

FORMAT_TIMEOUT_S = 60
MIB = 1024 * 1024


class Storage:
    """One data directory: `lock`, `cluster-id`, `broker.log`, the broker's settings, its records in `logs`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.absolute()
        self.log_dir = self.data_dir / "logs"
        self.log_file = self.data_dir / "broker.log"
        self.server_properties = self.data_dir / "server.properties"
        self.log4j_properties = self.data_dir / "log4j2.properties"
        self._lock: int | None = None

    def lock(self) -> None:
        """Take the directory for this process, making it if need be; others are refused until `unlock`."""
        if self._lock is not None:
            return
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise errors.from_os_error(error, self.data_dir) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise errors.DataDirLocked(
                f"another broker runs on {self.data_dir}: stop it, or choose another directory with --data-dir"
            ) from error
        self._lock = handle

    def unlock(self) -> None:
        """Give the directory back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def check_room(self, min_free_mib: int) -> None:
        """Refuse a disk on which the broker would soon stop."""
        free_mib = shutil.disk_usage(self.data_dir).free // MIB
        if free_mib < min_free_mib:
            raise errors.DiskFull(
                f"{self.data_dir} has {free_mib} MiB of disk left and the broker needs at least "
                f"{min_free_mib} MiB: free some, or choose another directory with --data-dir"
            )

    def write(self, server_properties: str, log4j_properties: str) -> None:
        """Write the files that the broker reads at its start."""
        try:
            self.server_properties.write_text(server_properties, "utf-8")
            self.log4j_properties.write_text(log4j_properties, "utf-8")
        except OSError as error:
            raise errors.from_os_error(error, self.data_dir) from error

    def format(self, java: Sequence[str]) -> None:
        """Make the log directory a Kafka one with a cluster id of its own, unless it is one already.

        `java` is the command that runs a class of the broker, up to the class's name.
        """
        if (self.log_dir / "meta.properties").exists():
            return
        arguments = ["format", "--ignore-formatted", "--cluster-id", self._cluster_id()]
        arguments += ["--config", str(self.server_properties)]
        done = subprocess.run(
            [*java, "kafka.tools.StorageTool", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise errors.from_log(done.returncode, done.stdout.splitlines(), self.data_dir, ())

    def _cluster_id(self) -> str:
        file = self.data_dir / "cluster-id"
        try:
            if not file.exists():
                file.write_text(new_cluster_id() + "\n", "ascii")
            return file.read_text("ascii").strip()
        except OSError as error:
            raise errors.from_os_error(error, self.data_dir) from error


def new_cluster_id() -> str:
    """Return a random id in Kafka's form: 16 bytes, URL-safe base64, no padding, not taken for an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode("ascii")
        if not text.startswith("-"):
            return text
