"""Bodies in JSON: text where it can be, and never longer than base64 would be."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.wire.body_text import body_text, from_base64, to_base64


@given(st.binary(max_size=100))
def test_base64_round_trip(data: bytes) -> None:
    """Bytes survive base64."""
    assert from_base64(to_base64(data)) == data


@pytest.mark.parametrize("text", ["A", "AAA", "AAAA=", "AA==AA==", "A A=", "AA==\n", "ä===", "_-8="])
def test_strict_base64(text: str) -> None:
    """Anything but strict base64 is refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - the reader's own words do not matter
        from_base64(text)


@given(st.text(max_size=50))
def test_text_stays_text(text: str) -> None:
    """What is written as text is the body, exactly."""
    body = text.encode("utf-8", "surrogatepass")
    written = body_text(body)
    assert written is None or written.encode() == body


@given(
    st.text(alphabet='a"\\\n\x01ü', min_size=1_100, max_size=1_500).map(str.encode)
    | st.binary(min_size=1_100, max_size=1_500)
)
def test_text_is_chosen_only_when_it_is_short(body: bytes) -> None:
    """Beyond the first kB, text in JSON takes at most the 4/3 that base64 takes."""
    written = body_text(body)
    assert written is None or len(orjson.dumps(written)) <= len(body) * 4 / 3 + 4
