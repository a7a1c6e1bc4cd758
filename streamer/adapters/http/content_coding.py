"""Content codings of answers (RFC 9110 §8.4.1) undone in the kept head, and in no more than that."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from streamer.core.outcome import Response

#: What a coding's bytes look like to zlib: a gzip or zlib wrapper, or none, which some peers call deflate too.
_GZIP, _ZLIB, _BARE = 31, 15, -15
#: So few bytes are read to their end whatever they may unpack to.
SMALL_BYTES = 4 * 1024
_CONTENT_ENCODING = "content-encoding"
_LENGTH = len(_CONTENT_ENCODING)
_WINDOWS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _BARE)}


def kept_answer(
    status: int,
    headers: tuple[tuple[str, str], ...],
    read: bytes,
    keep_bytes: int,
    http_version: str,
) -> Response:
    """Return an answer with the head of its body as it is kept, of what was read of it.

    gzip and deflate are undone, once, for at most ``keep_bytes`` of output; whatever else came packed (br, zstd, one coding
    inside another, what is broken or goes on behind its end) is kept as it came.
    """
    more = len(read) > keep_bytes
    body = read[:keep_bytes] if more else read
    coding = _coding(headers) if body else None
    if coding is None:
        return Response(status, headers, body, more, len(read), http_version)
    found = _unpacked(body, coding, more, keep_bytes)
    if found is None:
        return Response(status, headers, body, more, len(read), http_version, False)
    return Response(status, headers, found[0], found[1], len(read), http_version, True)


class Fill:
    """Tells when what came packed has filled all that is kept: a bomb does so with its first bytes."""

    def __init__(self, headers: Sequence[tuple[str, str]], keep_bytes: int) -> None:
        """Look at the headers; without a coding that is undone nothing ever fills."""
        windows = _WINDOWS.get(_coding(headers) or "", ())
        self._keep_bytes = keep_bytes
        self._decoders = [(zlib.decompressobj(window), bytearray()) for window in windows]
        self._taken = 0

    def by(self, pieces: Sequence[bytes]) -> bytes | None:
        """Take those of an answer's pieces that are new; return all that is kept once there is more than that."""
        for piece in pieces[self._taken :]:
            for decoder, found in self._decoders:
                try:
                    found += decoder.decompress(piece, self._keep_bytes + 1 - len(found))
                except zlib.error:
                    continue
                if len(found) > self._keep_bytes:
                    return bytes(found[: self._keep_bytes])
        self._taken = len(pieces)
        return None


def _coding(headers: Sequence[tuple[str, str]]) -> str | None:
    """Return what the body came in: one coding, or several, which no table knows."""
    # The length first: this is asked of every header of nearly every answer, few of which come packed.
    named = [
        value.strip(" \t").lower()
        for name, value in headers
        if len(name) == _LENGTH and name.lower() == _CONTENT_ENCODING
    ]
    if not named:
        return None
    codings = [coding for coding in named if coding not in ("", "identity")]
    return ", ".join(codings) if codings else None


def _unpacked(body: bytes, coding: str, more: bool, keep_bytes: int) -> tuple[bytes, bool] | None:
    for window in _WINDOWS.get(coding, ()):
        decoder = zlib.decompressobj(window)
        try:
            # The bound is what a bomb breaks on: no more output than this is ever made.
            found = decoder.decompress(body, keep_bytes + 1)
        except zlib.error:
            continue
        if len(found) > keep_bytes:
            return found[:keep_bytes], True
        if more and not decoder.eof:
            return found, True
        if decoder.eof and not decoder.unused_data:
            return found, False
    return None
