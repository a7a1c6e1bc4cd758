"""What production mode refuses, and what it lets pass."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.settings.load import SettingsError, load

SAFE: dict[str, Any] = {"mode": "production", "topics.replication": 3}


def refused(flags: dict[str, Any]) -> list[str]:
    """Return the problems of these settings."""
    with pytest.raises(SettingsError) as caught:
        load(environ={}, flags=flags)
    return caught.value.problems


def test_safe_settings_pass() -> None:
    """The defaults are safe but for the replicas, which a single machine does not have."""
    assert load(environ={}, flags=SAFE).settings.mode == "production"


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("http.allow_private", True, "http.allow_private (true) must be false in production mode"),
        ("topics.replication", 2, "topics.replication (2) must be at least 3 in production mode"),
        (
            "topics.retention.tier_margin",
            "6d",
            "topics.retention.tier_margin (6d) must be at least 7d in production mode",
        ),
    ],
)
def test_each_unsafe_setting_is_named_with_what_is_allowed(flag: str, value: Any, words: str) -> None:
    """In development the same settings are nobody's harm."""
    (problem,) = refused({**SAFE, flag: value})
    assert words in problem
    load(environ={}, flags={flag: value})


def test_all_of_them_at_once() -> None:
    """An operator repairs them in one go."""
    flags = {"http.allow_private": True, "topics.replication": 1, "topics.retention.tier_margin": "1h"}
    assert len(refused({**SAFE, **flags})) == 3


def test_another_mode_is_none() -> None:
    """A word that was misspelt must not pass for development."""
    (problem,) = refused({"mode": "prod"})
    assert "mode (flag): Input should be 'development' or 'production'" in problem
