"""Encryption at rest: AES-256-GCM (NIST SP 800-38D) with random nonces, the newest key first."""

from __future__ import annotations

import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streamer.wire.sealed import KeyMissing

_NONCE_BYTES = 12
KEY_BYTES = 32


class AesGcmSealer:
    """Seals with the first of its keys; the others open what was sealed before a rotation.

    A key may seal 2^32 records before random nonces are likely enough to repeat (SP 800-38D §8.3): rotate before that.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """Take keys of 32 bytes by their ids, the newest first; ValueError names the id of one that is none."""
        for key_id, key in keys.items():
            if len(key) != KEY_BYTES:
                raise ValueError(f"key {key_id} has {len(key)} bytes; {KEY_BYTES} are needed")
        if not keys:
            raise ValueError("no key is given")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._newest = next(iter(keys))

    def __repr__(self) -> str:
        return f"<AesGcmSealer {', '.join(self._ciphers)}>"

    def seal(self, plain: bytes, associated: bytes) -> tuple[str, bytes]:
        """Return the key's id, and nonce and ciphertext."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._newest, nonce + self._ciphers[self._newest].encrypt(nonce, plain, associated)

    def open(self, key_id: str, sealed: bytes, associated: bytes) -> bytes:
        """Return what was sealed; KeyMissing without the key, ValueError when it does not open it."""
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise KeyMissing(f"a request is encrypted with key {key_id[:64]!r}, which is not among sealing.keys")
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)
        except (InvalidTag, ValueError):
            raise ValueError(f"key {key_id} does not open it: the record was changed, or the key") from None
