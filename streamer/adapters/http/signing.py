"""Signs calls as Standard Webhooks 1.0.0 says, so that receivers can tell that a call is ours and what we sent."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from hmac import digest

from streamer.adapters.http.signing_keys import read_key

#: The versions of signatures: HMAC-SHA256 and ed25519.
HMAC_SHA256, ED25519 = "v1", "v1a"

#: How many secrets are kept decoded; reading an ed25519 key costs more than signing with it.
_REMEMBERED = 1024


def signature_of(secrets: Sequence[bytes], message_id: str, at_s: int, body: bytes) -> str:
    """Return the value of ``webhook-signature``: a signature by each secret, in their order.

    ``message_id`` and ``at_s`` are the values of ``webhook-id`` and ``webhook-timestamp``, ``body`` the exact bytes that
    are sent. ValueError says what is wrong with a secret, and repeats none of it.
    """
    content = signed_content(message_id, at_s, body)
    signatures = []
    for number, secret in enumerate(secrets, 1):
        try:
            key = _key(secret)
        except ValueError as error:
            which = f"signing key {number} of {len(secrets)}" if len(secrets) > 1 else "the signing key"
            raise ValueError(f"{which} {error}") from None
        if isinstance(key, bytes):
            signatures.append(f"{HMAC_SHA256},{b64encode(digest(key, content, 'sha256')).decode()}")
        else:
            signatures.append(f"{ED25519},{b64encode(key.sign(content)).decode()}")
    return " ".join(signatures)


def signed_content(message_id: str, at_s: int, body: bytes) -> bytes:
    """Return the bytes that a signature covers; ValueError for an id with a dot.

    With a dot in the id two messages could have the same content: (``a``, 1, ``2.b``) and (``a.1``, 2, ``b``).
    """
    if "." in message_id:
        raise ValueError("webhook-id may have no dot, which ends it in what is signed")
    if not message_id.isascii():
        raise ValueError("webhook-id must be ASCII")
    return b"%b.%d.%b" % (message_id.encode(), at_s, body)


_key = lru_cache(maxsize=_REMEMBERED)(read_key)
