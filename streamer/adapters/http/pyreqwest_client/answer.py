"""A peer's answer, read as a stream and no further than it is kept."""

from __future__ import annotations

from pyreqwest.http import HeaderMap
from pyreqwest.request import StreamRequest

from streamer.adapters.http.content_coding import SMALL_BYTES, Fill, kept_answer
from streamer.adapters.http.pyreqwest_client.paced import PacedCall
from streamer.core.outcome import Response


async def read_answer(call: StreamRequest | PacedCall, keep_bytes: int) -> Response:
    """Make the call and read its answer until its end, or until there is more than is kept.

    Leaving the stream early drops the connection, so that the rest of an endless body costs nothing.
    """
    async with call as answer:
        status, version = answer.status, answer.version
        headers = _headers(answer.headers)
        reader = answer.body_reader
        chunks: list[bytes] = []
        size = 0
        fill: Fill | None = None
        while size <= keep_bytes and (chunk := await reader.read_chunk()) is not None:
            chunks.append(bytes(chunk))
            size += len(chunk)
            if size > SMALL_BYTES:
                fill = fill or Fill(headers, keep_bytes)
                if (full := fill.by(chunks)) is not None:
                    return Response(status, headers, full, True, size, version, True)
    read = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return kept_answer(status, headers, read, keep_bytes, version)


def _headers(found: HeaderMap) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(found.items())
    except ValueError:
        # One value with bytes beyond ASCII spoils the whole list; the other headers are still worth having.
        return tuple(pair for name in dict.fromkeys(found.keys()) for pair in _values(found, name))


def _values(found: HeaderMap, name: str) -> list[tuple[str, str]]:
    try:
        return [(name, value) for value in found.getall(name)]
    except ValueError:
        # The client shows no bytes of such a value, so that its name alone must do.
        return [(name, "")]
