"""Takes secrets out of what a peer sent back: many targets tell the caller what they were asked."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import lru_cache
from urllib.parse import quote, quote_plus

from msgspec.structs import replace

from streamer.core.outcome import Failure, Response
from streamer.wire.masking import MASK

#: A value shorter than this is left: it would be found everywhere, and its absence would tell it.
LEAST_BYTES = 4

_MASK = MASK.encode()
_ESCAPE = re.compile(r"%[0-9A-F]{2}")


def scrubbed(end: Response | Failure, hide: tuple[bytes, ...]) -> Response | Failure:
    """Return an exchange's end without these values, as they are and in the usual ways of writing them."""
    forms = _forms_of_all(hide)
    if not forms:
        return end
    if isinstance(end, Failure):
        return Failure(end.error, _text(end.message, forms), end.begun)
    return _scrubbed_answer(end, forms)


def _scrubbed_answer(answer: Response, forms: tuple[bytes, ...]) -> Response:
    body = answer.body
    if answer.unpacked is False:
        # Packed in a way that is not undone here: what it holds cannot be searched, and anybody could unpack it.
        return replace(answer, headers=_headers(answer.headers, forms), body=b"", truncated=True)
    if answer.truncated:
        body = _without_begun(body, forms)
    for form in forms:
        if form in body:
            body = body.replace(form, _MASK)
    headers = _headers(answer.headers, forms)
    if body is answer.body and headers is answer.headers:
        return answer
    return replace(answer, headers=headers, body=body)


def _headers(headers: tuple[tuple[str, str], ...], forms: tuple[bytes, ...]) -> tuple[tuple[str, str], ...]:
    together = "\n".join([value for _, value in headers]).encode("utf-8", "surrogatepass")
    if not any(form in together for form in forms):
        return headers
    return tuple([(name, _text(value, forms)) for name, value in headers])


def _text(text: str, forms: tuple[bytes, ...]) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    for form in forms:
        if form in raw:
            raw = raw.replace(form, _MASK)
    return raw.decode("utf-8", "surrogatepass")


def _without_begun(body: bytes, forms: tuple[bytes, ...]) -> bytes:
    """Drop the beginning of a value at the very end of a body that was cut off."""
    cut = len(body)
    for form in forms:
        at = body.find(form[:LEAST_BYTES], max(0, len(body) - len(form) + 1))
        while at >= 0 and not form.startswith(body[at:]):
            at = body.find(form[:LEAST_BYTES], at + 1)
        if 0 <= at < cut:
            cut = at
    return body if cut == len(body) else body[:cut] + _MASK


def _forms_of_all(hide: tuple[bytes, ...]) -> tuple[bytes, ...]:
    found = {form for value in hide for form in _forms(value)}
    # The longest first: what is left of a short one inside a long one would say where it stood.
    return tuple(sorted(found, key=len, reverse=True))


@lru_cache(maxsize=256)
def _forms(value: bytes) -> tuple[bytes, ...]:
    """Return a value as it is, and as URLs, JSON, HTML, base64 and hexadecimal digits have it."""
    value = value.strip()
    if len(value) < LEAST_BYTES:
        return ()
    text = value.decode("utf-8", "replace")
    quoted = quote(value, safe="")
    forms = {
        value,
        quoted.encode(),
        _ESCAPE.sub(lambda found: found[0].lower(), quoted).encode(),
        quote(value).encode(),
        quote_plus(value).encode(),
        json.dumps(text)[1:-1].encode(),
        json.dumps(text)[1:-1].replace("/", "\\/").encode(),
        html.escape(text).encode(),
        value.hex().encode(),
        value.hex().upper().encode(),
        *_in_base64(value),
    }
    return tuple(form for form in forms if len(form) >= LEAST_BYTES)


def _in_base64(value: bytes) -> set[bytes]:
    """Return what stands in a base64 text for a value within it, wherever in a group of three bytes it begins."""
    forms = {base64.b64encode(value).rstrip(b"="), base64.urlsafe_b64encode(value).rstrip(b"=")}
    for before in range(3):
        # Characters that also hold bits of a neighbour are not known.
        first, last = -(-before * 8 // 6), (before + len(value)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            forms.add(encode(bytes(before) + value)[first:last])
    return {form for form in forms if len(form) > LEAST_BYTES}
