"""What `--header` makes of a record on `config`."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from streamer.cli.policy_flags import changed_fields
from streamer.cli.policy_print import in_words, line_text, shown_fields
from streamer.core.policy_view import Line
from streamer.wire.masking import USUAL


@pytest.mark.parametrize(
    ("before", "written", "after"),
    [
        ({}, ["X-A: 1", "X-B: 2"], {"headers": {"X-A": "1", "X-B": "2"}}),
        ({"headers": {"X-A": "1", "X-B": "2"}}, ["x-a: 3"], {"headers": {"X-B": "2", "x-a": "3"}}),
        ({"headers": {"X-A": "1", "X-B": "2"}}, ["x-b:"], {"headers": {"X-A": "1"}}),
        ({"headers": {"X-A": "1"}, "sign": True}, ["X-A:"], {"sign": True}),
        ({"headers": {"X-A": "1"}}, None, {"headers": {"X-A": "1"}}),
    ],
)
def test_headers_are_set_and_taken_away_by_name(
    before: dict[str, Any], written: list[str] | None, after: dict[str, Any]
) -> None:
    """A name in any case takes the other's place; one without a value goes, and the last takes the field with it."""
    assert changed_fields(before, None, header=written) == after


def test_no_header_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A text without a colon names what is allowed."""
    with pytest.raises(typer.Exit):
        changed_fields({}, None, header=["nothing"])
    assert '--header must be "Name: value"' in capsys.readouterr().err


def test_secret_values_are_not_shown() -> None:
    """A header that carries a secret is masked wherever a record is shown, unless it only names the secret."""
    fields = {"headers": {"Authorization": "Bearer horse", "X-Api-Key": "${secret:example}", "X-A": "1"}}
    shown = {"headers": {"Authorization": "***", "X-Api-Key": "${secret:example}", "X-A": "1"}}
    assert shown_fields(fields, USUAL) == shown
    assert "Authorization" in in_words(shown)
    assert line_text(Line("header authorization", "Bearer horse", "default"), USUAL) == "***"
    assert line_text(Line("header X-A", "1", "default"), USUAL) == "1"
