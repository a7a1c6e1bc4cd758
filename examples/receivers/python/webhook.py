"""Tells whether a call is signed by Streamer (Standard Webhooks 1.0.0).

Python 3.9 or later. The standard library is enough for a secret ("whsec_..."); a public key ("whpk_...") needs the
package `cryptography`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

TOLERANCE_S = 300


def verify(key: str, headers: Mapping[str, str], body: bytes, now_s: float | None = None) -> bool:
    """Return True for a call that is signed with the key and no older than five minutes.

    `headers` has lower-case names; `body` is what was received, byte by byte, before anything was parsed.
    """
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or "." in message_id or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs((time.time() if now_s is None else now_s) - int(timestamp)) > TOLERANCE_S:
        return False
    content = f"{message_id}.{timestamp}.".encode() + body
    # During a change of keys there are several signatures, one space between them. Entries of other kinds are none of ours.
    entries = [entry.partition(",") for entry in headers.get("webhook-signature", "").split(" ")]
    if key.startswith("whpk_"):
        return any(_by_pair(key, content, found) for version, _, found in entries if version == "v1a")
    return any(_by_secret(key, content, found) for version, _, found in entries if version == "v1")


def _by_secret(secret: str, content: bytes, signature: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
    return hmac.compare_digest(expected, signature.encode(errors="replace"))


def _by_pair(public_key: str, content: bytes, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_"), validate=True))
    try:
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
