"""What we show a target of ourselves: the Authorization header, from a domain's credentials and the secret they name."""

from __future__ import annotations

import re
from base64 import b64encode

from streamer.adapters.http.tokens import Tokens
from streamer.core.outcome import ErrorType, Failure
from streamer.core.send_policy import Auth, AuthKind

# RFC 6750 §2.1: anything else would not be read as one token, and CR or LF would begin another header.
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Credentials:
    """Makes the value of the header; for OAuth 2 it has tokens fetched, kept and renewed.

    Invariant: no failure has a part of a secret in its message.
    """

    def __init__(self, tokens: Tokens) -> None:
        """Prepare; ``tokens`` are asked with OAuth 2 only."""
        self._tokens = tokens

    def at_once(self, auth: Auth, secret: bytes) -> str | None:
        """Return the header's value where no token has to be waited for; None where ``header`` must be asked."""
        if auth.kind is AuthKind.OAUTH2:
            return self._tokens.recall(auth, secret)
        made = _made(auth, secret)
        return None if isinstance(made, Failure) else made

    async def header(self, auth: Auth, secret: bytes) -> str | Failure:
        """Return the header's value, or why there is none."""
        if auth.kind is AuthKind.OAUTH2:
            return await self._tokens.get(auth, secret)
        return _made(auth, secret)

    def renews(self, auth: Auth, refused: str) -> bool:
        """Tell whether another value than this one, which the target has refused, is worth asking for.

        A token that was fetched a moment ago is not dropped: who refuses that one refuses the next as well.
        """
        return auth.kind is AuthKind.OAUTH2 and self._tokens.drop(auth, refused)

    async def close(self) -> None:
        """Give up every token that is being fetched."""
        await self._tokens.close()


def _made(auth: Auth, secret: bytes) -> str | Failure:
    return _basic(auth, secret) if auth.kind is AuthKind.BASIC else _bearer(auth, secret)


def _basic(auth: Auth, secret: bytes) -> str | Failure:
    """Return RFC 7617's header, user and password in UTF-8."""
    password = secret.removesuffix(b"\n").removesuffix(b"\r")
    try:
        text = f"{auth.user}:{password.decode()}"
    except UnicodeDecodeError:
        return _unfit(auth, "is not UTF-8, as a password must be")
    if _CONTROL.search(text):
        # RFC 7617 §2: neither user nor password may have control characters.
        return _unfit(auth, "has control characters, which a user and a password may not have")
    return f"Basic {b64encode(text.encode()).decode()}"


def _bearer(auth: Auth, secret: bytes) -> str | Failure:
    """Return RFC 6750's header; the white space around a token, such as a file's last line end, is no part of it."""
    token = secret.strip()
    if not _TOKEN.fullmatch(token):
        return _unfit(auth, "is no bearer token: letters, digits and -._~+/ are allowed, and = at its end")
    return f"Bearer {token.decode()}"


def _unfit(auth: Auth, what: str) -> Failure:
    return Failure(ErrorType.CREDENTIALS, f"auth: secret {auth.secret} {what}", begun=False)
