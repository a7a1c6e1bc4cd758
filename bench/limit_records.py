"""What the parts alone carry: what a worker must by the contract, or as little as makes two records.

Values are of one length with those of a worker, and say nothing; names are those that `results` has.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from pyreqwest.client import Client

#: Writes a record to the topic of results or of states: from which of the two, key, value.
Write = Callable[[int, bytes, bytes], Awaitable[None]]
RESULT, STATE = 0, 1
_STATE_BYTES = 46
_AT, _AT_MS = "2026-01-01T00:00:00.000Z", "1767225600000"


async def carry_all(client: Client, record: dict[str, Any], write: Write) -> None:
    """Call with the headers that a worker sends, read the answer, and write all that a result has, keyed by the task."""
    digest = os.urandom(16)
    task, trace = f"tsk_{digest.hex()}", f"00-{digest.hex()}-{digest[:8].hex()}-01"
    body = record["body"].encode()
    sent = {
        "Content-Type": "text/plain; charset=utf-8",
        "webhook-id": task,
        "webhook-timestamp": _AT_MS[:-3],
        "X-Streamer-Attempt": "1",
        "X-Streamer-Task": task,
        "X-Streamer-Business": "default",
        "Idempotency-Key": task,
        "X-Request-ID": f"{task}.1.1",
        "User-Agent": "worker-w0",
        "traceparent": trace,
    }
    response = await client.post(record["url"]).headers(sent).body_bytes(body).build().send()
    answer = bytes(await response.bytes())
    result = {
        "v": 1,
        "event_id": f"evt_{digest.hex()}",
        "task_id": task,
        "business": "default",
        "generation": 1,
        "attempt": 1,
        "outcome": "success",
        "final": True,
        "at": _AT,
        "why": {"rule": "success.2xx", "decided_by": "deliver", "reason": "delivered"},
        "state": "succeeded",
        "lane": record["url"][7:-5],
        "origin": {"topic": "cell0.requests", "partition": 10, "offset": 171, "timestamp": _AT},
        "started_at": _AT,
        "duration_ms": 5.977,
        "address": "127.0.0.8",
        "status": response.status,
        "headers": list(response.headers.items()),
        "body_bytes": len(answer),
        "truncated": False,
        "http_version": response.version,
        "body": answer.decode(),
        "request": {
            "method": "POST",
            "url": record["url"],
            "headers": list(sent.items()),
            "body_bytes": len(body),
            "body_hash": f"sha256:{hashlib.sha256(body).hexdigest()}",
        },
    }
    await write(RESULT, task.encode(), orjson.dumps(result))
    await write(STATE, digest, body[:_STATE_BYTES])


async def carry_little(client: Client, record: dict[str, Any], write: Write) -> None:
    """Call with the body alone, read no answer, and write two records of 80 bytes that have one key each."""
    response = await client.post(record["url"]).body_bytes(record["body"].encode()).build().send()
    result = orjson.dumps({"url": record["url"], "status": response.status, "state": "succeeded"})
    await write(RESULT, b"result", result)
    await write(STATE, b"state", result)
