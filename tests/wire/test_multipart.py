"""A form with files: read back by a parser that is not ours, and the same bytes for the same parts."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.reading import Accepted, Refused
from streamer.wire.limits import DEFAULT_LIMITS, Limits
from streamer.wire.multipart import Part, encode_multipart
from streamer.wire.request_reader import read_request
from tests.wire.samples import AT_MS

URL = "https://example.com/upload"


def read(parts: Any, more: dict[str, Any] | None = None, limits: Limits = DEFAULT_LIMITS) -> Accepted | Refused:
    """Read a request with these parts."""
    return read_request(orjson.dumps({"url": URL, "multipart": parts} | (more or {})), (), limits, AT_MS)


def parsed(body: bytes, content_type: str) -> list[tuple[str, str | None, str | None, bytes]]:
    """Return name, file's name, content type and bytes of each part, as the standard library reads them."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    found = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(name, str)
        assert isinstance(content, bytes)
        written = part["content-type"]
        found.append((name, part.get_filename(), written and str(written).replace('"', ""), content))
    return found


def test_parts_as_they_go_on_the_wire() -> None:
    """Fields without a type, JSON and files with theirs, in the order given."""
    outcome = read(
        [
            {"name": "note", "body": "as discussed"},
            {"name": "order", "json": {"id": 17}},
            {
                "name": "invoice",
                "filename": "invoice.pdf",
                "content_type": "application/pdf",
                "body_base64": "AP8NCg==",
            },
            {"name": "text", "filename": "a.txt", "body": "ü"},
            {"name": "raw", "body_base64": ""},
        ]
    )
    assert isinstance(outcome, Accepted), outcome
    [(name, content_type)] = outcome.request.headers
    assert name == "Content-Type"
    assert parsed(outcome.request.body, content_type) == [
        ("note", None, None, b"as discussed"),
        ("order", None, "application/json", b'{"id":17}'),
        ("invoice", "invoice.pdf", "application/pdf", b"\x00\xff\r\n"),
        ("text", "a.txt", "text/plain; charset=utf-8", "ü".encode()),
        ("raw", None, "application/octet-stream", b""),
    ]


def test_bytes_stay_what_they_are() -> None:
    """A signature and a repeat are of the same bytes in every release: these."""
    body, content_type = encode_multipart([Part("a", b"1"), Part('q"', b"2", "ü\\.txt", "text/plain")])
    boundary = content_type.removeprefix("multipart/form-data; boundary=")
    assert boundary == "streamer-29658fdbce36c503d40825b64f4466d8"
    assert (
        body
        == (
            f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="q%22"; filename="ü\\.txt"\r\n'
            f"Content-Type: text/plain\r\n\r\n2\r\n--{boundary}--\r\n"
        ).encode()
    )


def test_a_boundary_within_the_content_is_not_taken() -> None:
    """Content that holds the boundary that it would get gets another one."""
    plain, _ = encode_multipart([Part("a", b"x")])
    boundary = plain[2 : plain.index(b"\r\n")]
    for content in (boundary, b"\r\n--" + boundary + b"--\r\n", b"\r\n--streamer-", plain):
        body, content_type = encode_multipart([Part("a", content)])
        assert body.count(content_type.partition("boundary=")[2].encode()) == 2
        assert parsed(body, content_type)[0][3] == content


@given(
    st.lists(st.tuples(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.binary(max_size=80)), min_size=1, max_size=5)
)
def test_any_bytes_come_through(fields: list[tuple[str, bytes]]) -> None:
    """Line ends, boundaries' beginnings and all other bytes are content, and no part is lost."""
    parts = [Part(name, content, "f", "application/octet-stream") for name, content in fields]
    body, content_type = encode_multipart(parts)
    pieces = body.split(b"--" + content_type.partition("boundary=")[2].encode())
    assert [piece.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for piece in pieces[1:-1]] == [c for _, c in fields]
    assert encode_multipart(parts) == (body, content_type)


BODY = {"body": "x"}
REFUSED: list[tuple[Any, str, str]] = [
    ([], "multipart", "a list of 1 to 64"),
    ([{"name": "a"} | BODY] * 65, "multipart", "a list of 1 to 64"),
    ({"name": "a"} | BODY, "multipart", "a list of 1 to 64"),
    ([BODY], "multipart.name", "required"),
    ([{"name": ""} | BODY], "multipart.name", "1 to 255"),
    ([{"name": "a\r\nX: y"} | BODY], "multipart.name", "control characters"),
    ([{"name": "a", "filename": "b\x00"} | BODY], "multipart.filename", "control characters"),
    ([{"name": "a", "content_type": "text/plain\r\nX: y"} | BODY], "multipart.content_type", "a media type"),
    ([{"name": "a", "content_type": "text/plain\n"} | BODY], "multipart.content_type", "a media type"),
    ([{"name": "a", "content_type": "text"} | BODY], "multipart.content_type", "a media type"),
    ([{"name": "a"}], "multipart", "one of body, body_base64, json"),
    ([{"name": "a", "json": 1} | BODY], "multipart", "one of body, body_base64, json"),
    ([{"name": "a", "body_base64": "?"}], "multipart.body_base64", "base64"),
    ([{"name": "a", "file": "x"} | BODY], "multipart.file", "did you mean filename?"),
]


@pytest.mark.parametrize(("parts", "field", "reason"), REFUSED)
def test_refused(parts: Any, field: str, reason: str) -> None:
    """What would break a part, or is none, is refused by the name of its field."""
    outcome = read(parts)
    assert isinstance(outcome, Refused)
    assert outcome.field == field
    assert reason in outcome.reason


def test_what_goes_beside_it() -> None:
    """No other body and no content type of one's own; the limit is of the encoded body."""
    parts = [{"name": "a", "body": "x" * 100}]
    assert read(parts, {"body": "y"}) == Refused(
        "multipart", "multipart and body are both given; one of body, json, form, body_base64, multipart is allowed"
    )
    typed = read(parts, {"headers": {"content-type": "multipart/mixed"}})
    assert isinstance(typed, Refused)
    assert "names the boundary" in typed.reason
    small = read(parts, limits=Limits(body_bytes=100))
    assert isinstance(small, Refused)
    assert small.field == "multipart"
    assert "at most 100 are allowed" in small.reason
