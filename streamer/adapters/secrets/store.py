"""Secrets in one file, each encrypted by itself with AES-256-GCM."""

from __future__ import annotations

import base64
import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from streamer.adapters.crypto.aes_gcm import AesGcmSealer
from streamer.adapters.secrets.files import write_private
from streamer.adapters.secrets.key_ring import KeyRing
from streamer.adapters.secrets.source import Hidden, SourceUnreadable, checked

VERSION = 1
#: A reader may meet a file that was encrypted anew since it read the keys.
_TRIES = 3


class StoredSecrets:
    """The encrypted store; a name is bound into its entry, so that no entry can be put in another's place.

    Writers take turns by a lock beside the file; readers need none.
    """

    def __init__(self, path: Path, keys: KeyRing) -> None:
        self._path = path
        self._keys = keys

    def __repr__(self) -> str:
        return f"<StoredSecrets {self._path}>"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"store {self._path}"

    def read(self, name: str) -> Hidden | None:
        """Return a secret; None when the file or the entry is not there."""
        for _ in range(_TRIES):
            if not self._path.exists():
                return None
            keys = self._keys.keys() if self._keys.there() else {}
            entry = self._entries().get(name)
            if entry is None:
                return None
            if entry["key"] in keys:
                return checked(self._opened(name, entry, keys), f"secret {name} in {self._path}")
        raise SourceUnreadable(f"{self._path}: the key that {name} was encrypted with is not there")

    def names(self) -> list[str]:
        """Return the names of all entries."""
        return sorted(self._entries())

    def put(self, name: str, value: bytes) -> bool:
        """Set a secret; True when it is new."""
        with self._writing():
            entries = self._entries()
            new = name not in entries
            entries[name] = self._sealed(name, checked(value, "the value").reveal())
            self._write(entries)
        return new

    def remove(self, name: str) -> bool:
        """Forget a secret; False when it was not there."""
        with self._writing():
            entries = self._entries()
            found = entries.pop(name, None)
            if found is not None:
                self._write(entries)
        return found is not None

    def encrypt_anew(self) -> int:
        """Encrypt every entry with the newest key and return how many there are.

        A key file gets a new key first and loses the others last: whoever reads in between, or after a crash, finds the key
        of what it reads.
        """
        with self._writing():
            keys = self._keys.keys()
            entries = {name: self._opened(name, entry, keys) for name, entry in self._entries().items()}
            if self._keys.path is not None:
                self._keys.add_newest()
            self._write({name: self._sealed(name, value) for name, value in entries.items()})
            if self._keys.path is not None:
                self._keys.keep_newest()
        return len(entries)

    def _sealed(self, name: str, value: bytes) -> dict[str, str]:
        key, sealed = AesGcmSealer(self._keys.keys()).seal(value, _associated(name))
        return {"key": key, "sealed": base64.b64encode(sealed).decode()}

    def _opened(self, name: str, entry: dict[str, str], keys: Mapping[str, bytes]) -> bytes:
        if entry["key"] not in keys:
            raise SourceUnreadable(f"{self._path}: the key that {name} was encrypted with is not there")
        try:
            sealed = base64.b64decode(entry["sealed"], validate=True)
            return AesGcmSealer(keys).open(entry["key"], sealed, _associated(name))
        except ValueError:
            raise SourceUnreadable(f"{self._path}: the entry {name} was changed by somebody") from None

    def _entries(self) -> dict[str, dict[str, str]]:
        try:
            record: Any = orjson.loads(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SourceUnreadable(f"{self._path} cannot be read: {error.strerror or error}") from None
        except orjson.JSONDecodeError:
            record = None
        entries = record.get("secrets") if isinstance(record, dict) and record.get("v") == VERSION else None
        if not isinstance(entries, dict) or not all(map(_is_entry, entries.values())):
            raise SourceUnreadable(f"{self._path} is no store of secrets of version {VERSION}")
        return entries

    def _write(self, entries: dict[str, dict[str, str]]) -> None:
        ordered = dict(sorted(entries.items()))
        try:
            write_private(self._path, orjson.dumps({"v": VERSION, "secrets": ordered}, option=orjson.OPT_INDENT_2))
        except OSError as error:
            raise SourceUnreadable(f"{self._path} cannot be written: {error.strerror or error}") from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        lock = self._path.with_name(self._path.name + ".lock")
        try:
            lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = lock.open("wb")
        except OSError as error:
            raise SourceUnreadable(f"{lock} cannot be written: {error.strerror or error}") from None
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(isinstance(entry.get(field), str) for field in ("key", "sealed"))


def _associated(name: str) -> bytes:
    return b"streamer/secret/1/" + name.encode()
