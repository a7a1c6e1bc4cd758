"""The request for an OAuth 2 token, and what its answer says (RFC 6749 §2.3.1, §4.4, §5)."""

from __future__ import annotations

import re
from base64 import b64encode
from math import isnan
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode

import orjson

from streamer.core.outcome import ErrorType, Failure, Response
from streamer.core.request import Request
from streamer.core.send_policy import Auth

#: How long the endpoint may take; a call waits for it within its own timeout.
TIMEOUT_MS = 10_000
#: How long a token lives whose answer does not say so (RFC 6749 §5.1 recommends that it does).
_USUAL_LIFE_S = 300
_LEAST_LIFE_S, _MOST_LIFE_S = 1, 86_400

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
# RFC 6749 §5.2: the one field of a refusal that is a closed list; its description may say anything.
_ERRORS = frozenset(
    (
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    )
)


class Granted(NamedTuple):
    """A token as an Authorization header's value, and how long it lives from now on."""

    value: str
    life_ms: float

    def __repr__(self) -> str:
        """Tell no token."""
        return f"Granted(***, {self.life_ms:.0f})"


def token_request(auth: Auth, secret: bytes) -> Request | Failure:
    """Return the request, with the client's id and secret in its Authorization header."""
    try:
        password = secret.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return _failed(auth, f"secret {auth.secret} is not UTF-8")
    # RFC 6749 §2.3.1: both are encoded as form values before they are joined.
    pair = f"{quote_plus(auth.user)}:{quote_plus(password)}"
    fields = {"grant_type": "client_credentials", "scope": auth.scope, "audience": auth.audience}
    return Request(
        auth.token_url,
        headers=(
            ("Authorization", f"Basic {b64encode(pair.encode()).decode()}"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Accept", "application/json"),
        ),
        body=urlencode({name: value for name, value in fields.items() if value}).encode(),
        timeout_ms=TIMEOUT_MS,
    )


def read_grant(auth: Auth, end: Response | Failure) -> Granted | Failure:
    """Return the token that the endpoint grants; a failure tells its status and nothing else that it said."""
    if isinstance(end, Failure):
        return _failed(auth, f"{end.error}: {end.message}")
    fields = _fields(end.body)
    if not 200 <= end.status < 300:
        error = fields.get("error")
        named = f" ({error})" if isinstance(error, str) and error in _ERRORS else ""
        return _failed(auth, f"it answered {end.status}{named}")
    token, kind = fields.get("access_token"), fields.get("token_type", "Bearer")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        return _failed(auth, f"it answered {end.status} without an access_token that could be sent")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return _failed(auth, f"it answered {end.status} with a token_type other than bearer")
    return Granted(f"Bearer {token}", _life_s(fields.get("expires_in")) * 1000)


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _life_s(said: Any) -> float:
    # Some endpoints write the number as text.
    try:
        seconds = float(said)
    except (TypeError, ValueError):
        return _USUAL_LIFE_S
    return _USUAL_LIFE_S if isnan(seconds) else min(max(seconds, _LEAST_LIFE_S), _MOST_LIFE_S)


def _failed(auth: Auth, what: str) -> Failure:
    return Failure(ErrorType.CREDENTIALS, f"auth: no token from {_origin(auth.token_url)}: {what}", begun=False)


def _origin(url: str) -> str:
    """Return the beginning of a URL, whose path and query may have something to hide."""
    return "/".join(url.split("/", 3)[:3]).rpartition("@")[2]
