"""Headers and body of a request, encrypted where they stand on our topics.

Sealed is what ``deliveries``, ``due``, ``retry-*``, ``claims``, ``dead-letter`` and ``control`` carry of a request: its headers
and its body. A producer's own record on ``requests`` is as its producer wrote it. The task id is bound in, so that what is
sealed cannot be put into another task's record.
"""

from __future__ import annotations

from typing import Any, Protocol

import orjson

from streamer.wire.body_text import from_base64, to_base64
from streamer.wire.unreadable import UnreadableRecord

#: Field of a delivery: [key id, base64 of nonce and ciphertext]. What is sealed is the headers as a line of JSON, then the
#: body's bytes.
FIELD = "y"


class KeyMissing(Exception):
    """A record was sealed with a key that is not set here: nothing is wrong with the record, and it must not be given up."""


class Sealer(Protocol):
    """Encrypts with the newest key, and decrypts with any it has."""

    def seal(self, plain: bytes, associated: bytes) -> tuple[str, bytes]:
        """Return the key's id, and nonce and ciphertext."""

    def open(self, key_id: str, sealed: bytes, associated: bytes) -> bytes:
        """Return what was sealed; KeyMissing without the key, ValueError when it does not open it."""


def seal_request(record: dict[str, Any], sealer: Sealer) -> None:
    """Put a delivery's headers and body out of sight; ``t`` is the task's id."""
    headers, text, encoded = record.pop("h", ()), record.pop("x", ""), record.pop("z", "")
    if not (headers or text or encoded):
        return
    body = from_base64(encoded) if encoded else text.encode()
    key_id, sealed = sealer.seal(orjson.dumps(headers) + b"\n" + body, _associated(record["t"]))
    record[FIELD] = [key_id, to_base64(sealed)]


def open_request(record: dict[str, Any], sealer: Sealer | None) -> None:
    """Put a delivery's headers and body back; UnreadableRecord when it was changed, KeyMissing without the key."""
    raw = record.pop(FIELD)
    if type(raw) is not list or len(raw) != 2 or not all(type(part) is str for part in raw):
        raise UnreadableRecord(FIELD, f"{FIELD} must be [key id, base64]")
    if sealer is None:
        raise KeyMissing(f"a request is encrypted with key {raw[0][:64]!r}, and sealing.keys is empty here")
    try:
        opened = sealer.open(raw[0], from_base64(raw[1]), _associated(record.get("t", "")))
        line, _, body = opened.partition(b"\n")
        headers = orjson.loads(line)
    except ValueError as error:
        raise UnreadableRecord(FIELD, f"the request is encrypted, and {error}") from None
    if headers:
        record["h"] = headers
    if body:
        record["z"] = to_base64(body)


def _associated(task_id: str) -> bytes:
    return b"streamer/request/1/" + str(task_id).encode()
