"""Encryption at rest: what is sealed opens under its own key and task alone."""

from __future__ import annotations

import os

import pytest

from streamer.adapters.crypto.aes_gcm import KEY_BYTES, AesGcmSealer
from streamer.wire.sealed import KeyMissing

OLD, NEW = os.urandom(KEY_BYTES), os.urandom(KEY_BYTES)


def test_what_is_sealed_opens_again() -> None:
    """Any bytes come back, and two seals of the same bytes differ."""
    sealer = AesGcmSealer({"k1": OLD})
    plain = bytes(range(256))
    first, second = sealer.seal(plain, b"task"), sealer.seal(plain, b"task")
    assert first != second
    assert plain not in first[1]
    assert sealer.open(*first, b"task") == sealer.open(*second, b"task") == plain


def test_a_key_that_was_replaced_still_opens() -> None:
    """After a rotation the new key seals, and the old one opens what it sealed."""
    before = AesGcmSealer({"k1": OLD}).seal(b"secret", b"task")
    rotated = AesGcmSealer({"k2": NEW, "k1": OLD})
    assert rotated.open(*before, b"task") == b"secret"
    assert rotated.seal(b"secret", b"task")[0] == "k2"


def test_without_its_key_nothing_is_wrong_with_the_record() -> None:
    """A key that is not here is told apart from a record that was changed."""
    sealed = AesGcmSealer({"k1": OLD}).seal(b"secret", b"task")
    with pytest.raises(KeyMissing, match=r"'k1'.*sealing\.keys"):
        AesGcmSealer({"k2": NEW}).open(*sealed, b"task")


@pytest.mark.parametrize(
    ("key", "change", "associated"),
    [(NEW, 0, b"task"), (OLD, 1, b"task"), (OLD, 0, b"other task")],
    ids=["another key of the id", "a changed byte", "another task"],
)
def test_what_was_changed_does_not_open(key: bytes, change: int, associated: bytes) -> None:
    """Neither another key, nor a changed byte, nor another task's record gives anything away."""
    key_id, sealed = AesGcmSealer({"k1": OLD}).seal(b"secret", b"task")
    changed = sealed[:-1] + bytes([sealed[-1] ^ change])
    with pytest.raises(ValueError, match="key k1 does not open it"):
        AesGcmSealer({"k1": key}).open(key_id, changed, associated)


@pytest.mark.parametrize("key", [b"", bytes(16), bytes(31), bytes(33)], ids=len)
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    """The message names the key, not its bytes."""
    with pytest.raises(ValueError, match=f"key short has {len(key)} bytes; 32 are needed"):
        AesGcmSealer({"short": key})


def test_no_key_shows() -> None:
    """What a log would print holds no byte of a key."""
    assert repr(AesGcmSealer({"k1": OLD})) == "<AesGcmSealer k1>"
