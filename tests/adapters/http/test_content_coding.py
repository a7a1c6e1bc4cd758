"""What is kept of a body that came packed, and that no more is ever unpacked than is kept."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.http.content_coding import Fill, kept_answer
from streamer.core.outcome import Response

TEXT = b'{"error": {"code": 4290}}' * 10


def gzipped(data: bytes) -> bytes:
    """Pack without the time of day, which would give a case another name in each process that runs the tests."""
    return gzip.compress(data, mtime=0)


def bare(data: bytes) -> bytes:
    """Pack without a wrapper."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def kept(read: bytes, *codings: str, keep_bytes: int = 1_000) -> Response:
    """Return what is kept of a body."""
    return kept_answer(200, tuple(("Content-Encoding", coding) for coding in codings), read, keep_bytes, "HTTP/1.1")


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (gzipped(TEXT), "gzip"),
        (gzipped(TEXT), "X-GZIP"),
        (gzipped(TEXT), " gzip\t"),
        (zlib.compress(TEXT), "deflate"),
        (bare(TEXT), "deflate"),
    ],
)
def test_one_coding_is_undone(packed: bytes, coding: str) -> None:
    """The body can be read, the header still says how it came, and the bytes read are those of the wire."""
    answer = kept(packed, coding)
    assert (answer.body, answer.truncated, answer.unpacked, answer.body_bytes) == (TEXT, False, True, len(packed))
    assert answer.headers == (("Content-Encoding", coding),)


def test_identity_is_no_coding() -> None:
    """Nor is an empty one, nor any coding of an empty body."""
    assert kept(TEXT, "identity").unpacked is None
    assert kept(TEXT, "").unpacked is None
    assert kept(TEXT).unpacked is None
    assert kept(b"", "gzip").unpacked is None
    assert kept(gzipped(TEXT), "identity", "gzip").body == TEXT


@pytest.mark.parametrize(
    ("read", "codings"),
    [
        (b"\x0b\x02\x80", ("br",)),
        (b"\x28\xb5\x2f\xfd", ("zstd",)),
        (gzipped(gzipped(TEXT)), ("gzip, gzip",)),
        (gzipped(gzipped(TEXT)), ("gzip", "gzip")),
        (b"plain", ("gzip",)),
        (gzipped(TEXT)[:-9], ("gzip",)),
        (gzipped(TEXT)[:20] + b"\xff" * 20, ("gzip",)),
        (gzipped(TEXT) + b"more", ("gzip",)),
        (zlib.compress(TEXT)[:-4] + b"\x00" * 4, ("deflate",)),
    ],
)
def test_anything_else_is_kept_as_it_came(read: bytes, codings: tuple[str, ...]) -> None:
    """Unknown codings, several, what is broken, cut, or goes on behind its end."""
    answer = kept(read, *codings)
    assert (answer.body, answer.unpacked, answer.truncated) == (read, False, False)


@pytest.mark.parametrize("size", [999, 1_000, 1_001, 100_000_000])
def test_output_is_bounded(size: int) -> None:
    """What unpacks to more than is kept is cut there, and said to be."""
    answer = kept(zlib.compress(bytes(size)), "deflate", keep_bytes=1_000)
    assert answer.unpacked is True
    assert (len(answer.body), answer.truncated) == (min(size, 1_000), size > 1_000)


def test_of_a_cut_body_the_head_is_unpacked() -> None:
    """As far as what was read goes."""
    packed = gzip.compress(bytes(range(256)) * 40, compresslevel=0)
    answer = kept(packed, "gzip", keep_bytes=500)
    assert (answer.truncated, answer.unpacked, answer.body_bytes) == (True, True, len(packed))
    assert (bytes(range(256)) * 2).startswith(answer.body)
    assert len(answer.body) > 400


def test_nothing_kept_is_nothing_unpacked() -> None:
    """With no room no body is looked into."""
    answer = kept(gzipped(TEXT), "gzip", keep_bytes=0)
    assert (answer.body, answer.truncated, answer.unpacked) == (b"", True, None)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "identity"]), st.integers(0, 100))
def test_no_body_breaks_it(read: bytes, coding: str, keep_bytes: int) -> None:
    """Whatever came, no more than allowed is kept."""
    assert len(kept(read, coding, keep_bytes=keep_bytes).body) <= keep_bytes


@pytest.mark.parametrize("pack", [gzipped, zlib.compress, bare])
def test_a_bomb_is_full_with_its_first_bytes(pack: Callable[[bytes], bytes]) -> None:
    """No more of it has to be read than fills what is kept, however it comes in pieces."""
    packed = pack(bytes(10_000_000))
    fill = Fill((("content-encoding", "gzip" if pack is gzipped else "deflate"),), 65_536)
    pieces = [packed[at : at + 1] for at in range(200)]
    found = (fill.by(pieces[:count]) for count in range(1, len(pieces) + 1))
    assert next(full for full in found if full is not None) == bytes(65_536)


@pytest.mark.parametrize("coding", ["", "identity", "br", "gzip, gzip", "gzip"])
def test_what_is_not_undone_never_fills(coding: str) -> None:
    """Without a coding, with one that is left as it came, or one that is a lie."""
    fill = Fill((("content-encoding", coding),), 10)
    assert [fill.by([b"plain text of more than that"] * count) for count in (1, 2, 3)] == [None] * 3
