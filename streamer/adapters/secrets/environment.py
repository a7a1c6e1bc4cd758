"""Secrets in environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from streamer.adapters.secrets.source import Hidden, checked

_NO_WORD = re.compile(r"[.-]")


class EnvironmentSecrets:
    """Finds ``STREAMER_SECRET_API_KEY`` for the secrets ``api_key``, ``api-key``, ``api.key`` and ``API_KEY``."""

    title = "environment"

    def __init__(self, variables: Mapping[str, str], prefix: str) -> None:
        """Take the variables whose names begin with the prefix, once: a process's environment does not change."""
        self._prefix = prefix
        self._values = {
            name: Hidden(value.encode("utf-8", "surrogateescape"))
            for name, value in variables.items()
            if name.startswith(prefix) and value
        }

    def __repr__(self) -> str:
        return f"<EnvironmentSecrets {', '.join(self._values)}>"

    def variable(self, name: str) -> str:
        """Return the variable that a secret is looked for in."""
        return self._prefix + _NO_WORD.sub("_", name).upper()

    def read(self, name: str) -> Hidden | None:
        """Return a secret."""
        found = self._values.get(variable := self.variable(name))
        return None if found is None else checked(found.reveal(), variable)

    def names(self) -> list[str]:
        """Return the secrets' names, of those that one variable stands for the one in lower case."""
        return sorted(name.removeprefix(self._prefix).lower() for name in self._values)
