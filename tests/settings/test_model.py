"""The settings' tree: sound defaults, frozen values, secrets that do not show, and the list of all fields."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr, ValidationError

from streamer.settings.contracts import contradictions
from streamer.settings.fields import MASK, fields, sections, shown
from streamer.settings.model import Settings
from streamer.settings.platform import Kafka, Security
from streamer.settings.types import Duration

SECRET = "correct horse"


def test_the_defaults_agree_with_each_other() -> None:
    """Without any file Streamer starts."""
    assert contradictions(Settings()) == []


def test_the_default_ladder_of_tiers() -> None:
    """The tiers are those that the design's hop counts were computed for."""
    written = " ".join(str(tier) for tier in Settings().tiers)
    assert written == "5s 10s 30s 1m 2m 5m 10m 30m 1h 2h 6h 12h 1d 7d"


def test_settings_are_frozen() -> None:
    """Nothing changes a setting after it was loaded."""
    with pytest.raises(ValidationError, match="frozen"):
        Settings().kafka.prefix = "other."  # type: ignore[misc]


def test_a_secret_shows_nowhere() -> None:
    """Neither repr, str, dumps nor what is made for eyes has the password in it."""
    settings = Settings(kafka=Kafka(security=Security(password=SecretStr(SECRET))))
    everything = [
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        str(settings.model_dump()),
        json.dumps([shown(field.value(settings)) for field in fields().values()]),
    ]
    assert not [text for text in everything if SECRET in text]
    assert shown(settings.kafka.security.password) == MASK


def test_every_field_and_section_is_described() -> None:
    """The example file and the manual are made from these sentences."""
    silent = [key for key, field in fields().items() if not field.description.endswith(".")]
    silent += [key for key, sentence in sections().items() if not sentence.endswith(".")]
    assert silent == []


def test_every_field_has_its_own_variable() -> None:
    """No two settings share an environment variable, and the form is the documented one."""
    names = [field.env for field in fields().values()]
    assert len(set(names)) == len(names)
    assert fields()["kafka.security.user"].env == "STREAMER_KAFKA__SECURITY__USER"
    assert fields()["worker.from"].env == "STREAMER_WORKER__FROM"


def test_a_duration_tells_its_unit() -> None:
    """Whoever reads a duration says in which unit."""
    timeout = Settings().http.connect_timeout
    assert (timeout.ms, timeout.s, str(timeout)) == (10_000, 10.0, "10s")
    assert Duration(5) < Duration(6)
