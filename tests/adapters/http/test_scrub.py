"""Secrets that a peer sends back are not kept, in whatever usual form it writes them."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from streamer.adapters.http.scrub import scrubbed
from streamer.core.outcome import ErrorType, Failure, Response

SECRET = b'p&ss w/"rd+0123=='
FORMS = {
    "plain": SECRET,
    "url": quote(SECRET, safe="").encode(),
    "url in lower case": b"p%26ss%20w%2f%22rd%2b0123%3d%3d",
    "form": quote_plus(SECRET).encode(),
    "json": json.dumps(SECRET.decode())[1:-1].encode(),
    "html": html.escape(SECRET.decode()).encode(),
    "hex": SECRET.hex().encode(),
    "base64": base64.b64encode(SECRET),
    "base64 of a header": base64.b64encode(b"user:" + SECRET),
    "base64 in the middle": base64.b64encode(b"ab" + SECRET + b"cd"),
    "base64 for urls": base64.urlsafe_b64encode(b"x" + SECRET),
}


def scrub(body: bytes, *, truncated: bool = False, hide: tuple[bytes, ...] = (SECRET,)) -> bytes:
    """Return what is kept of a body."""
    end = scrubbed(Response(200, (), body, truncated, len(body)), hide)
    assert isinstance(end, Response)
    return end.body


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_usual_form_is_found(form: bytes) -> None:
    """The value is replaced; no run of eight characters of the form that held it is left."""
    kept = scrub(b'{"seen": "' + form + b'"}')
    assert b"***" in kept
    assert kept.startswith(b'{"seen": "')
    inner = form[8:-8]
    assert inner not in kept


def test_headers_and_messages_are_scrubbed() -> None:
    """What a peer puts into a header, or the client into an error, is replaced as well."""
    answer = scrubbed(Response(200, (("X-Echo", f"got {SECRET.decode()}"), ("X-Own", "kept"))), (SECRET,))
    assert isinstance(answer, Response)
    assert answer.headers == (("X-Echo", "got ***"), ("X-Own", "kept"))
    failure = scrubbed(Failure(ErrorType.UNKNOWN, f"url /{quote(SECRET, safe='')} is bad"), (SECRET,))
    assert failure == Failure(ErrorType.UNKNOWN, "url /*** is bad")


def test_an_answer_without_secrets_stays_the_same_object() -> None:
    """Nothing is copied where nothing is found."""
    answer = Response(200, (("X-Own", "kept"),), b"nothing here")
    assert scrubbed(answer, (SECRET,)) is answer
    assert scrubbed(answer, ()) is answer


@pytest.mark.parametrize("length", range(4, len(SECRET)))
def test_the_beginning_of_a_value_at_the_cut_is_dropped(length: int) -> None:
    """A body that was cut off within the value keeps no part of it that tells something."""
    assert scrub(b"seen: " + SECRET[:length], truncated=True) == b"seen: ***"
    assert scrub(b"seen: " + SECRET[:length]) == b"seen: " + SECRET[:length]


def test_a_value_of_few_bytes_is_left() -> None:
    """A secret of three bytes would be found everywhere."""
    assert scrub(b"abcabc", hide=(b"abc",)) == b"abcabc"


def test_a_body_that_cannot_be_searched_is_not_kept() -> None:
    """A coding that is not undone may hold the secret, packed."""
    end = scrubbed(Response(200, (), b"\x28\xb5\x2f\xfd...", False, 7, "", False), (SECRET,))
    assert isinstance(end, Response)
    assert (end.body, end.truncated, end.body_bytes) == (b"", True, 7)


def test_the_longest_value_goes_first() -> None:
    """A value within another does not leave the other's rest behind."""
    assert scrub(b"x-longer-secret-y", hide=(b"secret", b"longer-secret")) == b"x-***-y"
