"""A form with files as bytes (RFC 7578): the same parts give the same bytes, so that a record read twice is one request."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct

_END = b"\r\n"
# As browsers write names (WHATWG, multipart/form-data): a quote would end the parameter.
_QUOTE, _ESCAPED = '"', "%22"


class Part(Struct, frozen=True, gc=False):
    """One part: a field of the form, or a file where it has a ``filename``.

    Neither name may have control characters, and ``content_type`` only visible ASCII characters and blanks.
    """

    name: str
    content: bytes
    filename: str | None = None
    content_type: str | None = None


def encode_multipart(parts: Sequence[Part]) -> tuple[bytes, str]:
    """Return the body and its content type, which names the boundary."""
    heads = [_head(part) for part in parts]
    boundary = _boundary(parts, heads)
    line = b"--" + boundary
    pieces = [
        piece for part, head in zip(parts, heads, strict=True) for piece in (line, _END, head, _END, part.content, _END)
    ]
    return b"".join([*pieces, line, b"--", _END]), f"multipart/form-data; boundary={boundary.decode()}"


def _head(part: Part) -> bytes:
    head = f'Content-Disposition: form-data; name="{part.name.replace(_QUOTE, _ESCAPED)}"'
    if part.filename is not None:
        head += f'; filename="{part.filename.replace(_QUOTE, _ESCAPED)}"'
    if part.content_type is not None:
        head += f"\r\nContent-Type: {part.content_type}"
    return head.encode() + _END


def _boundary(parts: Sequence[Part], heads: Sequence[bytes]) -> bytes:
    """Return a boundary made of the content, and found nowhere in it."""
    state = blake2b(digest_size=16)
    for part, head in zip(parts, heads, strict=True):
        for piece in (head, part.content):
            state.update(len(piece).to_bytes(8, "big"))
            state.update(piece)
    boundary = b"streamer-" + state.hexdigest().encode()
    while any(boundary in piece for part, head in zip(parts, heads, strict=True) for piece in (head, part.content)):
        state.update(b"again")
        boundary = b"streamer-" + state.hexdigest().encode()
    return boundary
