"""Settings of secrets and masking, and the variables that are secrets and no settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.settings.fields import fields, shown
from streamer.settings.load import SettingsError, load
from streamer.settings.secrets import secrets_of_environment


def test_a_secrets_variable_is_no_setting(tmp_path: Path) -> None:
    """Names that begin with STREAMER_SECRET_ are values of secrets; a typo in a setting's name is still found."""
    environ = {"STREAMER_SECRET_API_KEY": "hunter2", "STREAMER_SECRETS__DIRECTORY": "/run/secrets", "PATH": "/bin"}
    assert load(environ=environ, directory=tmp_path).settings.secrets.directory == Path("/run/secrets")
    assert secrets_of_environment(environ) == {"STREAMER_SECRET_API_KEY": "hunter2"}
    with pytest.raises(SettingsError, match="STREAMER_SECRETS__DIRECTORI"):
        load(environ={"STREAMER_SECRETS__DIRECTORI": "x"}, directory=tmp_path)


def test_the_stores_key_is_masked(tmp_path: Path) -> None:
    """What `config show` prints of the key is a mask."""
    loaded = load(environ={"STREAMER_SECRETS__KEY": "hunter2"}, directory=tmp_path)
    assert "hunter2" not in str(shown(fields()["secrets.key"].value(loaded.settings)))
    assert "hunter2" not in repr(loaded)


def test_masked_names_are_lower_case(tmp_path: Path) -> None:
    """Names are compared without case."""
    settings = load(environ={"STREAMER_MASKING__HEADERS": "X-Own, X-Other"}, directory=tmp_path).settings
    assert settings.masking.headers == ("x-own", "x-other")
