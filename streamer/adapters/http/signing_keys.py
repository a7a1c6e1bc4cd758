"""Signing keys as Standard Webhooks 1.0.0 writes them: ``whsec_`` (HMAC-SHA256), ``whsk_`` and ``whpk_`` (ed25519)."""

from __future__ import annotations

import secrets
from base64 import b64decode, b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SYMMETRIC = "whsec_"
PRIVATE = "whsk_"
PUBLIC = "whpk_"

#: Bytes of a symmetric secret that the specification allows, and of those that we make.
LEAST_BYTES, MOST_BYTES, OWN_BYTES = 24, 64, 32
_ED25519_BYTES = 32
_KINDS = f"{SYMMETRIC} (HMAC-SHA256) or {PRIVATE} (ed25519)"


def read_key(secret: bytes) -> bytes | Ed25519PrivateKey:
    """Return what a secret signs with: the bytes of an HMAC key, or a private key.

    ValueError says what is wrong with it, and repeats none of it. White space around it, as files have it, is cut off.
    """
    text = _text(secret)
    if text.startswith(SYMMETRIC):
        key = _decoded(text, SYMMETRIC)
        if not LEAST_BYTES <= len(key) <= MOST_BYTES:
            raise ValueError(f"holds {len(key)} bytes after {SYMMETRIC}; {LEAST_BYTES} to {MOST_BYTES} are allowed")
        return key
    if text.startswith(PRIVATE):
        return _private(_decoded(text, PRIVATE))
    if text.startswith(PUBLIC):
        raise ValueError(f"is a public key ({PUBLIC}), with which nothing can be signed; give the {PRIVATE} beside it")
    raise ValueError("is empty" if not text else f"must begin with {_KINDS}")


def read_checking_key(text: bytes) -> bytes | Ed25519PublicKey:
    """Return what a signature is checked with, from a secret or a public key; ValueError says what is wrong with it."""
    if _text(text).startswith(PUBLIC):
        key = _decoded(_text(text), PUBLIC)
        if len(key) != _ED25519_BYTES:
            raise ValueError(f"holds {len(key)} bytes after {PUBLIC}; {_ED25519_BYTES} are allowed")
        return Ed25519PublicKey.from_public_bytes(key)
    found = read_key(text)
    return found.public_key() if isinstance(found, Ed25519PrivateKey) else found


def public_key_of(secret: bytes) -> str | None:
    """Return the public key of an ed25519 secret, as receivers are given it; None for a symmetric one."""
    key = read_key(secret)
    return PUBLIC + b64encode(_public_bytes(key)).decode() if isinstance(key, Ed25519PrivateKey) else None


def new_secret(*, ed25519: bool = False) -> str:
    """Make a secret from the system's randomness."""
    return (PRIVATE if ed25519 else SYMMETRIC) + b64encode(secrets.token_bytes(OWN_BYTES)).decode()


def _text(secret: bytes) -> str:
    # Asked beforehand: an error of the codec's would carry the secret along.
    if not secret.isascii():
        raise ValueError(f"is not ASCII text; it must begin with {_KINDS}")
    return secret.decode().strip()


def _decoded(text: str, prefix: str) -> bytes:
    written = text[len(prefix) :]
    try:
        key = b64decode(written, validate=True)
    except ValueError:
        key = b""
    # Receivers' libraries differ in what they forgive, so only what all of them read is taken.
    if not written or b64encode(key).decode() != written:
        raise ValueError(f"must have standard base64 with its padding after {prefix}" if written else "is empty")
    return key


def _private(key: bytes) -> Ed25519PrivateKey:
    """Return the key of a seed; some write the public key behind the seed, which must then belong to it."""
    if len(key) not in (_ED25519_BYTES, 2 * _ED25519_BYTES):
        allowed = f"{_ED25519_BYTES} (a seed) or {2 * _ED25519_BYTES} (seed and public key) are allowed"
        raise ValueError(f"holds {len(key)} bytes after {PRIVATE}; {allowed}")
    private = Ed25519PrivateKey.from_private_bytes(key[:_ED25519_BYTES])
    if key[_ED25519_BYTES:] not in (b"", _public_bytes(private)):
        raise ValueError(f"has a public key after {PRIVATE} that is not its seed's")
    return private


def _public_bytes(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
