"""The keys of the encrypted store: from a file or a setting, the newest first."""

from __future__ import annotations

import base64
import binascii
import os
from hashlib import sha256
from pathlib import Path

from streamer.adapters.crypto.aes_gcm import KEY_BYTES
from streamer.adapters.secrets.files import write_private
from streamer.adapters.secrets.source import SourceUnreadable


class KeyRing:
    """Keys of 32 bytes in base64, separated by white space; what is written is sealed with the first.

    A file may hold several while a key is replaced. Keys that are a setting cannot be changed here.
    """

    def __init__(self, path: Path | None, text: str | None = None) -> None:
        """Read them from a text where there is one, else from a file."""
        self._path = path
        self._text = text

    def __repr__(self) -> str:
        return f"<KeyRing {'from a setting' if self._text is not None else self._path}>"

    @property
    def path(self) -> Path | None:
        """The file; None for keys that are a setting."""
        return self._path if self._text is None else None

    def there(self) -> bool:
        """Tell whether there is any key."""
        return self._text is not None or (self._path is not None and self._path.exists())

    def keys(self) -> dict[str, bytes]:
        """Return the keys by their ids, the newest first; raises SourceUnreadable."""
        keys = [_key(word) for word in self._written().split()]
        if not keys:
            raise SourceUnreadable(f"{self._whence} holds no key")
        return {key_id(key): key for key in keys}

    def begin(self, path: Path) -> None:
        """Write the first key into a file that is not there yet."""
        write_private(path, _text([os.urandom(KEY_BYTES)]), new=True)

    def add_newest(self) -> None:
        """Put a new key before the others."""
        self._write([os.urandom(KEY_BYTES), *self.keys().values()])

    def keep_newest(self) -> None:
        """Forget all keys but the newest."""
        self._write(list(self.keys().values())[:1])

    @property
    def _whence(self) -> str:
        return "secrets.key" if self._text is not None else str(self._path)

    def _written(self) -> str:
        if self._text is not None:
            return self._text
        if self._path is None:
            raise SourceUnreadable("the encrypted store has no key: set secrets.key_file or secrets.key")
        try:
            return self._path.read_text(encoding="ascii")
        except OSError as error:
            raise SourceUnreadable(f"{self._path} cannot be read: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise SourceUnreadable(f"{self._path} holds no keys in base64") from None

    def _write(self, keys: list[bytes]) -> None:
        if self.path is None:
            raise SourceUnreadable("keys that stand in secrets.key are changed there")
        write_private(self.path, _text(keys))


def key_id(key: bytes) -> str:
    """Return what tells keys apart and nothing about them."""
    return sha256(b"streamer key id\0" + key).hexdigest()[:16]


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise SourceUnreadable(f"a key of the encrypted store must be {KEY_BYTES} random bytes in base64")
    return key


def _text(keys: list[bytes]) -> bytes:
    return b"".join(base64.b64encode(key) + b"\n" for key in keys)
