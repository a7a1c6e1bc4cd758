"""Reads cases from stdin and answers each: what the official library says, what the example says, how the library signs."""

from __future__ import annotations

import base64
import sys
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook
from webhook import verify  # type: ignore[import-not-found]  # the example, copied beside this file


def answer(line: str) -> str:
    """Return the answer to one case."""
    number, check, secret, message_id, timestamp, signature, encoded, library = line.split("\t")
    body = base64.b64decode(encoded)
    headers = {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    asked = library == "1" and check.startswith("whsec_")
    return "\t".join(
        (
            number,
            by_library(check, headers, body) if asked else "-",
            "ok" if verify(check, headers, body) else "refused",
            signed(secret, message_id, int(timestamp), body) if asked else "-",
        )
    )


def by_library(key: str, headers: dict[str, str], body: bytes) -> str:
    """Return what the official library says."""
    try:
        Webhook(key).verify(body, headers, json_parse=False)
    except Exception:  # it raises ValueError and others for what it does not expect
        return "refused"
    return "ok"


def signed(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    """Return the library's own signature; it signs text only."""
    try:
        return Webhook(secret).sign(message_id, datetime.fromtimestamp(at_s, tz=UTC), body.decode())
    except UnicodeDecodeError:
        return "-"


for each in sys.stdin:
    print(answer(each.rstrip("\n")))
