"""References to secrets in texts: found, put in, escaped, and refused without a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.secret_template import MARK, filled, secrets_named

FOUND = [
    ("plain", []),
    ("Bearer ${secret:api-key}", ["api-key"]),
    ("${secret:a}${secret:b.c_D-9}", ["a", "b.c_D-9"]),
    ("$${secret:a}", []),
    ("$${secret:", []),
    ("$$${secret:a}", []),
    ("${secrets:a} ${env:b} $secret", []),
]
NO_NAME = [
    "${secret:hunter2 x}",
    "${secret:hunter2",
    "${secret:" + "hunter2" * 10 + "}",
    "${secret:hunter2ä}",
    "${secret:}",
]
PUT_IN = [
    ("Bearer ${secret:a}", "Bearer <a>"),
    ("${secret:a}${secret:a}", "<a><a>"),
    ("$${secret:a}", "${secret:a}"),
    ("$$${secret:a}", "$${secret:a}"),
    ("cost: $5 ${secret:a}", "cost: $5 <a>"),
]


@pytest.mark.parametrize(("text", "names"), FOUND)
def test_names_are_found(text: str, names: list[str]) -> None:
    """References are named in their order; two dollar signs make none."""
    assert secrets_named(text) == names


@pytest.mark.parametrize("text", NO_NAME)
def test_a_mark_without_a_name_is_refused(text: str) -> None:
    """What would be sent as it stands is an error, which shows nothing of what was written."""
    with pytest.raises(ValueError, match="without a name behind it") as caught:
        secrets_named(text)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("text", "whole"), PUT_IN)
def test_values_are_put_in(text: str, whole: str) -> None:
    """Each reference becomes its value, and an escaped one its plain text."""
    assert filled(text, lambda name: f"<{name}>") == whole


def test_a_value_is_not_looked_through_again() -> None:
    """A secret that looks like a reference is sent as it is."""
    assert filled("${secret:a}", lambda _: "${secret:b}") == "${secret:b}"


@given(st.text(alphabet="${}secrt:ab ", max_size=40))
def test_a_text_without_references_changes_by_its_escapes_only(text: str) -> None:
    """Nothing is put into a text that names no secret, and only escapes grow shorter."""
    try:
        names = secrets_named(text)
    except ValueError:
        return
    if not names:
        assert filled(text, lambda name: pytest.fail(name)) == text.replace("$${secret:", MARK)
