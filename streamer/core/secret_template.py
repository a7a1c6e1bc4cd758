"""Texts that name secrets: ``${secret:NAME}`` stands for a value that is put in when a call is made.

Must not know any secret, nor where secrets are kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: How a reference begins. A text without it is what it says.
MARK = "${secret:"

# Two dollar signs make the rest plain text. A mark that no name follows is an error: it would be sent as it stands.
_REFERENCE = re.compile(r"(\$?)\$\{secret:(?:([A-Za-z0-9_.-]{1,64})\})?")
_ALLOWED = "write ${secret:NAME} with 1 to 64 letters, digits, _, . or - as NAME, or $${secret: for the plain text"


def secrets_named(text: str) -> list[str]:
    """Return the names of the secrets in a text, in their order; ValueError for a reference without a name."""
    if MARK not in text:
        return []
    names = []
    for found in _REFERENCE.finditer(text):
        if found[1]:
            continue
        if found[2] is None:
            # What follows is not shown: somebody may have written the secret itself.
            raise ValueError(f"has {MARK} without a name behind it: {_ALLOWED}")
        names.append(found[2])
    return names


def filled(text: str, value_of: Callable[[str], str]) -> str:
    """Return the text with every reference replaced; what is put in is not looked through again."""

    def replaced(found: re.Match[str]) -> str:
        if not found[1] and found[2] is not None:
            return value_of(found[2])
        return found[0][1:] if found[1] else found[0]

    return _REFERENCE.sub(replaced, text) if MARK in text else text
