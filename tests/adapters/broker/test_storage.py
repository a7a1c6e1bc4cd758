"""The data directory: one broker at a time, with room, and the same cluster for ever."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from streamer.adapters.broker.errors import DataDirLocked, DataDirUnusable, DiskFull
from streamer.adapters.broker.storage import Storage, new_cluster_id


def test_a_directory_has_one_user_at_a_time(tmp_path: Path) -> None:
    """The second user is refused while the first is there, and let in afterwards."""
    first, second = Storage(tmp_path), Storage(tmp_path)
    first.lock()
    with pytest.raises(DataDirLocked, match=r"another broker runs on .*--data-dir"):
        second.lock()
    first.unlock()
    second.lock()
    second.unlock()


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file in the way of the directory is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable, match=r"cannot write to .*/file/data"):
        Storage(tmp_path / "file" / "data").lock()


def test_a_disk_without_room_is_refused(tmp_path: Path) -> None:
    """The error tells how much there is and how much is needed."""
    with pytest.raises(DiskFull, match=r"MiB of disk left and the broker needs at least 1000000000 MiB"):
        Storage(tmp_path).check_room(1_000_000_000)


def test_a_disk_with_room_passes(tmp_path: Path) -> None:
    """Nothing is raised where a single MiB is asked for."""
    storage = Storage(tmp_path)
    storage.check_room(1)
    assert storage.data_dir == tmp_path


def test_cluster_ids_are_kafkas_kind() -> None:
    """An id is 16 bytes in base64, differs each time, and is never taken for an option."""
    ids = {new_cluster_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(base64.urlsafe_b64decode(text + "==")) == 16 for text in ids)
    assert not any(text.startswith("-") for text in ids)
