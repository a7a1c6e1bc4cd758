"""A peer's answer, read as a stream and no further than it is kept."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from typing import cast

import httpcore
from msgspec import Struct

from streamer.adapters.http.content_coding import SMALL_BYTES, Fill, kept_answer
from streamer.adapters.http.httpx_client.failures import unreadable
from streamer.core.outcome import Failure, Response

# What is under httpcore lets some of these through, which would break out of a line wherever one is written.
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
#: As with pyreqwest; h11 bounds the bytes alone.
_MOST_HEADERS = 100
_VERSIONS = {b"HTTP/1.0": "HTTP/1.0", b"HTTP/1.1": "HTTP/1.1", b"HTTP/2": "HTTP/2.0"}


class Read(Struct, frozen=True, gc=False):
    """An answer as it is kept, or why it is none; ``whole`` tells that it was read to its end."""

    end: Response | Failure
    whole: bool


async def read_answer(answer: httpcore.Response, keep_bytes: int, came: Callable[[], None]) -> Read:
    """Read an answer until its end, or until there is more than is kept; ``came`` is called for its head and each piece.

    Its connection must be dropped where it was not read to its end.
    """
    came()
    version = _VERSIONS.get(answer.extensions["http_version"])
    if version is None:
        return Read(unreadable("its version is unknown"), whole=False)
    if len(answer.headers) > _MOST_HEADERS:
        return Read(unreadable(f"it has more than {_MOST_HEADERS} headers"), whole=False)
    if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in answer.headers):
        return Read(unreadable("a header has a character that none may have"), whole=False)
    headers = tuple([(name.decode("ascii").lower(), _text(value)) for name, value in answer.headers])
    chunks: list[bytes] = []
    size = 0
    fill: Fill | None = None
    whole = True
    # The stream itself is a generator; httpcore's own around it would leave it open where it is left early.
    stream = cast("AsyncGenerator[bytes, None]", aiter(cast("AsyncIterable[bytes]", answer.stream)))
    async with aclosing(stream) as pieces:
        async for chunk in pieces:
            came()
            chunks.append(chunk)
            size += len(chunk)
            if size > SMALL_BYTES:
                fill = fill or Fill(headers, keep_bytes)
                if (full := fill.by(chunks)) is not None:
                    return Read(Response(answer.status, headers, full, True, size, version, True), whole=False)
            if size > keep_bytes:
                whole = False
                break
    if whole:
        await answer.aclose()
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return Read(kept_answer(answer.status, headers, body, keep_bytes, version), whole=whole)


def _text(value: bytes) -> str:
    """Return a header's value; of one with bytes beyond ASCII the name alone must do, as with pyreqwest."""
    return value.decode("ascii") if value.isascii() else ""
