"""A peer's answer, read as a stream and no further than it is kept."""

from __future__ import annotations

from pyreqwest.http import HeaderMap
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response as PeerResponse
from pyreqwest.response import ResponseBodyReader

from streamer.adapters.http.content_coding import SMALL_BYTES, Fill, kept_answer
from streamer.adapters.http.pyreqwest_client.paced import PacedAnswer, PacedCall, PacedReader
from streamer.core.outcome import Response


async def read_answer(call: StreamRequest, keep_bytes: int) -> Response:
    """Make the call and read its answer until its end, or until there is more than is kept.

    A small one takes a single wait for all of its body, by which its end is known too.
    """
    answer = await call.__aenter__()
    # No more than is read whatever it says: who sends on slowly must not be waited for.
    wanted = min(keep_bytes + 1, SMALL_BYTES)
    ended = False
    try:
        begun = await answer.body_reader.read(wanted)
        read = bytes(begun) if begun is not None else b""
        ended = len(read) < wanted
        if not ended:
            return await _rest(answer, answer.body_reader, [read], keep_bytes)
    finally:
        # Leaving the stream early drops the connection, so that the rest of an endless body costs nothing.
        if not ended:
            await call.__aexit__(None, None, None)
    return kept_answer(answer.status, _headers(answer.headers), read, keep_bytes, answer.version)


async def read_paced_answer(call: PacedCall, keep_bytes: int) -> Response:
    """Make a call and read its answer where each piece must come in time."""
    async with call as answer:
        return await _rest(answer, answer.body_reader, [], keep_bytes)


async def _rest(
    answer: PeerResponse | PacedAnswer, reader: ResponseBodyReader | PacedReader, pieces: list[bytes], keep_bytes: int
) -> Response:
    """Read on until the end of a body of which some pieces have come, or until there is more than is kept."""
    status, version, headers = answer.status, answer.version, _headers(answer.headers)
    size = sum(map(len, pieces))
    fill: Fill | None = None
    while size <= keep_bytes and (chunk := await reader.read_chunk()) is not None:
        pieces.append(bytes(chunk))
        size += len(chunk)
        if size > SMALL_BYTES:
            fill = fill or Fill(headers, keep_bytes)
            if (full := fill.by(pieces)) is not None:
                return Response(status, headers, full, True, size, version, True)
    return kept_answer(status, headers, b"".join(pieces), keep_bytes, version)


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
