"""Requests that name secrets, and what they become: checked and filled in, or unfit to be sent for a reason."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from streamer.core.outcome import ErrorType, Failure
from streamer.core.secret_template import MARK, filled, secrets_named
from streamer.wire.header_rules import is_header_value

#: A header's value may be so long once its secrets are put in.
MAX_VALUE_BYTES = 16_384

_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class Unfit(Exception):
    """A call cannot be made ready; the failure says why, and holds no part of a secret."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def named_in_text(where: str, text: str) -> list[str]:
    """Return the names of the secrets in a text; ``where`` tells people which one."""
    try:
        return secrets_named(text)
    except ValueError as error:
        raise Unfit(blocked(f"{where} {error}")) from None


def named_in_headers(headers: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield the names of the secrets in headers."""
    for name, value in headers:
        yield from named_in_text(f"headers: the value of {name}", value)


def filled_url(url: str, values: Mapping[str, bytes]) -> str:
    """Put secrets into what follows the host, escaped, so that no value adds a part to the URL or leads elsewhere."""
    origin = _ORIGIN.match(url)
    if origin is None or MARK in origin[0]:
        raise Unfit(blocked("url may name secrets in its path and query only"))
    return origin[0] + filled(url[origin.end() :], lambda name: quote(values[name], safe=""))


def filled_value(header: str, template: str, values: Mapping[str, bytes]) -> str:
    """Put secrets into a header's value, which must still be one."""
    value = filled(template, lambda name: values[name].decode("latin-1"))
    if len(value) > MAX_VALUE_BYTES or not is_header_value(value):
        names = " and ".join(secrets_named(template))
        raise Unfit(
            no_credentials(
                f"headers: the value of {header} cannot be made of secret {names}: it may have visible ASCII characters, "
                f"with spaces and tabs between them, {MAX_VALUE_BYTES} at most"
            )
        )
    return value


def no_credentials(message: str) -> Failure:
    """Return the end of a call that lacks what only an operator can bring; it is tried again."""
    return Failure(ErrorType.CREDENTIALS, message, begun=False)


def blocked(message: str) -> Failure:
    """Return the end of a call that may not be made as it is."""
    return Failure(ErrorType.BLOCKED, message, begun=False)
