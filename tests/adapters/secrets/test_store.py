"""The encrypted store: values go in and come out, nothing of them stands in the file, and a changed file is refused."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from streamer.adapters.secrets.key_ring import KeyRing
from streamer.adapters.secrets.source import SourceUnreadable
from streamer.adapters.secrets.store import StoredSecrets

VALUE = b"hunter2-hunter2"


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    """A ring with one key in a file."""
    ring = KeyRing(tmp_path / "own" / "key")
    ring.begin(tmp_path / "own" / "key")
    return ring


@pytest.fixture
def store(tmp_path: Path, keys: KeyRing) -> StoredSecrets:
    """A store without an entry."""
    return StoredSecrets(tmp_path / "own" / "secrets.json", keys)


def value_of(store: StoredSecrets, name: str) -> bytes | None:
    """Return a value, or None for none."""
    found = store.read(name)
    return None if found is None else found.reveal()


def test_what_was_put_in_comes_out(store: StoredSecrets) -> None:
    """Set, replaced, listed and removed."""
    assert store.names() == []
    assert value_of(store, "a") is None
    assert store.put("a", VALUE)
    assert not store.put("a", b"rotated\n")
    assert store.put("b", VALUE)
    assert (value_of(store, "a"), value_of(store, "b"), store.names()) == (b"rotated", VALUE, ["a", "b"])
    assert store.remove("a")
    assert not store.remove("a")
    assert (value_of(store, "a"), store.names()) == (None, ["b"])


def test_the_files_tell_nothing_and_are_ones_own(tmp_path: Path, store: StoredSecrets) -> None:
    """Neither value nor key stands in the store, equal values look different, and nobody else may read the files."""
    store.put("a", VALUE)
    store.put("b", VALUE)
    text = (tmp_path / "own" / "secrets.json").read_text()
    entries = json.loads(text)["secrets"]
    assert entries["a"]["sealed"] != entries["b"]["sealed"]
    assert "hunter2" not in text
    assert (tmp_path / "own" / "key").read_text().strip() not in text
    assert [oct((tmp_path / "own" / name).stat().st_mode)[-3:] for name in ("secrets.json", "key")] == ["600", "600"]
    assert "hunter2" not in f"{store!r} {store.read('a')!r}"


def test_an_entry_is_bound_to_its_name(tmp_path: Path, store: StoredSecrets) -> None:
    """Who can write the file cannot put one secret in another's place, nor change one."""
    store.put("a", VALUE)
    store.put("b", b"another value")
    path = tmp_path / "own" / "secrets.json"
    record = json.loads(path.read_text())
    record["secrets"]["a"] = record["secrets"]["b"]
    path.write_text(json.dumps(record))
    with pytest.raises(SourceUnreadable, match="the entry a was changed by somebody"):
        store.read("a")
    record["secrets"]["b"]["sealed"] = "AAAA"
    path.write_text(json.dumps(record))
    with pytest.raises(SourceUnreadable, match="the entry b was changed by somebody"):
        store.read("b")


@pytest.mark.parametrize("content", ["", "{}", '{"v": 2, "secrets": {}}', '{"v": 1, "secrets": {"a": "x"}}', "[]"])
def test_a_file_that_is_no_store_is_refused(tmp_path: Path, store: StoredSecrets, content: str) -> None:
    """It is neither read as empty nor written over."""
    (tmp_path / "own" / "secrets.json").write_text(content)
    with pytest.raises(SourceUnreadable, match="is no store of secrets of version 1"):
        store.read("a")
    with pytest.raises(SourceUnreadable, match="is no store of secrets of version 1"):
        store.put("a", VALUE)


def test_another_key_opens_nothing(tmp_path: Path, store: StoredSecrets) -> None:
    """A store without its key says which entry cannot be read; with the key back it can."""
    store.put("a", VALUE)
    key = tmp_path / "own" / "key"
    before = key.read_bytes()
    key.unlink()
    with pytest.raises(SourceUnreadable, match="the key that a was encrypted with is not there"):
        store.read("a")
    KeyRing(key).begin(key)
    with pytest.raises(SourceUnreadable, match="the key that a was encrypted with is not there"):
        store.read("a")
    key.write_bytes(before)
    assert value_of(store, "a") == VALUE


def test_a_key_is_never_written_over(tmp_path: Path, keys: KeyRing) -> None:
    """To begin a ring where there is one would make its store unreadable."""
    with pytest.raises(FileExistsError):
        keys.begin(tmp_path / "own" / "key")


def test_a_new_key_takes_the_olds_place(tmp_path: Path, store: StoredSecrets, keys: KeyRing) -> None:
    """Everything is encrypted anew, and the old key opens nothing any more."""
    store.put("a", VALUE)
    store.put("b", b"another value")
    path = tmp_path / "own" / "key"
    old, old_store = path.read_bytes(), (tmp_path / "own" / "secrets.json").read_bytes()
    assert store.encrypt_anew() == 2
    assert (value_of(store, "a"), value_of(store, "b")) == (VALUE, b"another value")
    assert path.read_bytes() != old
    assert len(keys.keys()) == 1
    assert (tmp_path / "own" / "secrets.json").read_bytes() != old_store
    path.write_bytes(old)
    with pytest.raises(SourceUnreadable, match="encrypted with is not there"):
        store.read("a")


def test_a_rotation_that_was_broken_off_leaves_everything_readable(store: StoredSecrets, keys: KeyRing) -> None:
    """Between its steps the old key and the new one stand in the file, whichever the entries were encrypted with."""
    store.put("a", VALUE)
    keys.add_newest()
    assert value_of(store, "a") == VALUE
    store.put("b", VALUE)
    assert (value_of(store, "a"), value_of(store, "b")) == (VALUE, VALUE)
    assert store.encrypt_anew() == 2
    assert (value_of(store, "a"), len(keys.keys())) == (VALUE, 1)


def test_readers_see_every_value_while_the_key_is_replaced(store: StoredSecrets) -> None:
    """A worker that reads during rotations never meets an entry that it cannot open."""
    store.put("a", VALUE)
    done = threading.Event()
    seen: list[bytes | None] = []

    def read() -> None:
        while not done.is_set() or not seen:
            seen.append(value_of(store, "a"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(20):
            store.encrypt_anew()
    finally:
        done.set()
        reader.join()
    assert set(seen) == {VALUE}


def test_keys_that_are_a_setting(tmp_path: Path, keys: KeyRing) -> None:
    """Several may be given, the newest first; they are changed where they stand."""
    keys.add_newest()
    new, old = (tmp_path / "own" / "key").read_text().split()
    path = tmp_path / "secrets.json"
    StoredSecrets(path, KeyRing(None, old)).put("a", VALUE)
    both = StoredSecrets(path, KeyRing(None, f"{new} {old}"))
    assert value_of(both, "a") == VALUE
    assert both.encrypt_anew() == 1
    assert value_of(StoredSecrets(path, KeyRing(None, new)), "a") == VALUE
    with pytest.raises(SourceUnreadable, match="changed there"):
        KeyRing(None, new).add_newest()


@pytest.mark.parametrize("text", ["", "short", "A" * 44, "!" * 44])
def test_a_key_that_is_none_is_refused_and_not_shown(text: str) -> None:
    """A key has 32 bytes in base64."""
    with pytest.raises(SourceUnreadable) as caught:
        KeyRing(None, text).keys()
    assert not text or text not in str(caught.value)


def test_two_writers_lose_nothing(store: StoredSecrets) -> None:
    """Commands that run at once take turns."""
    threads = [threading.Thread(target=store.put, args=(f"s{number}", VALUE)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.names() == sorted(f"s{number}" for number in range(10))
