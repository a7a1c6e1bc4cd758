"""Checks the signature of a call that was received, as a receiver would by Standard Webhooks 1.0.0."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from hmac import compare_digest, digest

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from streamer.adapters.http.signing import ED25519, HMAC_SHA256, signed_content
from streamer.adapters.http.signing_keys import read_checking_key

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE_S = 300

#: More entries than any sender has keys; checking ed25519 signatures costs some 100 µs each.
_MOST_ENTRIES = 64
_MOST_DIGITS = 15


def verify(
    keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: int, tolerance_s: int = TOLERANCE_S
) -> str | None:
    """Return why a call is not valid, None when it is: signed by one of the keys, and not longer ago than the tolerance.

    ``keys`` are secrets or public keys as text; ValueError says what is wrong with one of them. Header names are compared
    without regard to case. Entries of the signature that are of another version, or junk, are passed over.
    """
    checks = [_checking_key(number, key, len(keys)) for number, key in enumerate(keys, 1)]
    given = {name.lower(): value.strip() for name, value in headers.items()}
    for name in (ID, TIMESTAMP, SIGNATURE):
        if not given.get(name):
            return f"there is no {name}"
    at = given[TIMESTAMP]
    if not (at.isascii() and at.isdigit() and len(at) <= _MOST_DIGITS):
        return f"{TIMESTAMP} is no whole number of seconds"
    if at != str(int(at)):
        # It would be signed in another form than it was sent in.
        return f"{TIMESTAMP} has a leading zero"
    reason = _untimely(int(at), now_s, tolerance_s)
    if reason is not None:
        return reason
    entries = given[SIGNATURE].split()
    if len(entries) > _MOST_ENTRIES:
        return f"{SIGNATURE} has {len(entries)} entries; at most {_MOST_ENTRIES} are looked at"
    try:
        content = signed_content(given[ID], int(at), body)
    except ValueError as error:
        return str(error)
    return None if _signed_by_one(checks, entries, content) else _unsigned(checks, entries)


def _checking_key(number: int, key: bytes, of: int) -> bytes | Ed25519PublicKey:
    try:
        return read_checking_key(key)
    except ValueError as error:
        raise ValueError(f"key {number} of {of} {error}" if of > 1 else f"the key {error}") from None


def _untimely(at_s: int, now_s: int, tolerance_s: int) -> str | None:
    if at_s < now_s - tolerance_s:
        return f"{TIMESTAMP} is {now_s - at_s} s old; {tolerance_s} s are allowed"
    if at_s > now_s + tolerance_s:
        return f"{TIMESTAMP} is {at_s - now_s} s in the future; {tolerance_s} s are allowed"
    return None


def _signed_by_one(checks: Sequence[bytes | Ed25519PublicKey], entries: Sequence[str], content: bytes) -> bool:
    for check in checks:
        version = _version(check)
        for entry in entries:
            named, _, signature = entry.partition(",")
            if named == version and _fits(check, signature, content):
                return True
    return False


def _fits(check: bytes | Ed25519PublicKey, signature: str, content: bytes) -> bool:
    if isinstance(check, bytes):
        # Compared as bytes: compare_digest takes no text beyond ASCII.
        return compare_digest(b64encode(digest(check, content, "sha256")), signature.encode(errors="replace"))
    try:
        check.verify(b64decode(signature, validate=True), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _unsigned(checks: Sequence[bytes | Ed25519PublicKey], entries: Sequence[str]) -> str:
    wanted = sorted({_version(check) for check in checks})
    if not any(entry.partition(",")[0] in wanted for entry in entries):
        return f"{SIGNATURE} has no {' or '.join(wanted)} entry, which is what the key checks"
    return f"no entry of {SIGNATURE} is by the key over this id, timestamp and body"


def _version(check: bytes | Ed25519PublicKey) -> str:
    return HMAC_SHA256 if isinstance(check, bytes) else ED25519
