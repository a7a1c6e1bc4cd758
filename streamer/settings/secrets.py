"""Settings of secrets, and of what is masked where people look."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from streamer.settings.types import Names, Section, none_if_empty

#: A variable that begins so is a secret's value, and no setting.
ENV_SECRET = "STREAMER_SECRET_"


def _lower(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.lower() for name in names)


LowerNames = Annotated[Names, AfterValidator(_lower)]


class Secrets(Section):
    """Where the values of secrets are read: the environment first, then the directory, then the encrypted store."""

    directory: Annotated[Path | None, BeforeValidator(none_if_empty)] = Field(
        None, description="Directory with one file per secret, read again within 5s of a change; empty: none."
    )
    store: Path = Field(
        Path(".streamer/secrets.json"), description="The encrypted store that `streamer secrets set` writes."
    )
    key_file: Path = Field(
        Path(".streamer/secrets.key"),
        description="File with the store's key: 32 random bytes in base64. Keep it elsewhere than the store and its copies.",
    )
    key: Annotated[SecretStr | None, BeforeValidator(none_if_empty)] = Field(
        None, description="The same as a value, in place of the file; several, the newest first, while it is replaced."
    )


class Sealing(Section):
    """Encryption of requests where they stand on our topics."""

    keys: Names = Field(
        (),
        description="Names of secrets that are keys, 32 random bytes in base64 each, the newest first; "
        "empty: nothing is encrypted.",
    )


class Masking(Section):
    """What is masked in results and by the command line, beside what always is (see the documentation of secrets)."""

    headers: LowerNames = Field((), description="Names of headers.")
    query: LowerNames = Field((), description="Names of parameters in URLs.")
    fields: LowerNames = Field(
        (),
        description="Names of fields in bodies, JSON or form, at any depth: in the kept bodies of answers, "
        "and in requests' where the command line shows them.",
    )


def secrets_of_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that are secrets; without ``environ`` those of this process."""
    found = os.environ if environ is None else environ
    return {name: value for name, value in found.items() if name.startswith(ENV_SECRET)}
