"""Signs calls to AWS, and to what understands the same, with AWS Signature Version 4."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from hmac import digest
from urllib.parse import quote, unquote, urlsplit

from streamer.extensions import Call, Tools

#: Names of the secrets that hold the keys. The last one is for temporary credentials, and need not be there.
ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "aws-access-key-id", "aws-secret-access-key", "aws-session-token"

_ALGORITHM = "AWS4-HMAC-SHA256"
#: What S3 wants to be told, and does not encode twice.
_S3 = "s3"


class SigV4:
    """Signs the calls to some domains.

    From the environment: ``SIGV4_DOMAINS``, as ``*.execute-api.eu-west-1.amazonaws.com``, several with blanks between them;
    ``SIGV4_SERVICE``, as ``execute-api``; ``SIGV4_REGION``; and ``SIGV4_BUSINESSES``, whose tasks alone are signed, if set.
    """

    def __init__(self, tools: Tools) -> None:
        self._secret = tools.secret
        self._domains = _needed("SIGV4_DOMAINS").lower().split()
        self._service = _needed("SIGV4_SERVICE")
        self._region = _needed("SIGV4_REGION")
        self._businesses = os.environ.get("SIGV4_BUSINESSES", "").split()

    async def headers(self, call: Call) -> Sequence[tuple[str, str]]:
        """Return the date, the signature, and what else they cover; nothing for other domains and businesses."""
        if not any(fnmatchcase(call.domain, pattern) for pattern in self._domains):
            return ()
        if self._businesses and call.business not in self._businesses:
            return ()
        # Asked for at each call, so that keys which are rotated are in use at once; Streamer keeps them for a moment.
        access_key = (await self._secret(ACCESS_KEY)).decode().strip()
        secret_key = (await self._secret(SECRET_KEY)).decode().strip()
        try:
            token = (await self._secret(SESSION_TOKEN)).decode().strip()
        except LookupError:
            token = ""
        return self.signed(call, access_key, secret_key, token)

    def signed(self, call: Call, access_key: str, secret_key: str, token: str) -> list[tuple[str, str]]:
        """Return the headers to add."""
        at = datetime.fromtimestamp(call.at_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
        added = [("X-Amz-Date", at)]
        if token:
            added.append(("X-Amz-Security-Token", token))
        if self._service == _S3:
            added.append(("X-Amz-Content-Sha256", sha256(call.body).hexdigest()))
        covered = _covered(call, added)
        names = ";".join(covered)
        scope = f"{at[:8]}/{self._region}/{self._service}/aws4_request"
        request = _canonical_request(call, covered, names, twice=self._service != _S3)
        text = "\n".join((_ALGORITHM, at, scope, sha256(request.encode()).hexdigest()))
        key = f"AWS4{secret_key}".encode()
        for part in scope.split("/"):
            key = digest(key, part.encode(), "sha256")
        signature = digest(key, text.encode(), "sha256").hex()
        credential = f"Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return [*added, ("Authorization", f"{_ALGORITHM} {credential}")]


def _covered(call: Call, added: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that the signature covers, by name in lower case and in order: host, type, and AWS's own."""
    added = list(added)
    ours = {name.lower() for name, _ in added}
    found = {"host": _host(call.url)}
    for name, value in [*(pair for pair in call.headers if pair[0].lower() not in ours), *added]:
        lower, plain = name.lower(), " ".join(value.split())
        if lower == "content-type" or lower.startswith("x-amz-"):
            found[lower] = f"{found[lower]},{plain}" if lower in found else plain
    return dict(sorted(found.items()))


def _canonical_request(call: Call, covered: dict[str, str], names: str, *, twice: bool) -> str:
    url = urlsplit(call.url)
    path = url.path or "/"
    lines = [f"{name}:{value}" for name, value in covered.items()]
    return "\n".join(
        (
            call.method,
            # The path as it is sent is encoded already; AWS, but for S3, encodes it again.
            quote(path, safe="/-_.~") if twice else path,
            _canonical_query(url.query),
            *lines,
            "",
            names,
            sha256(call.body).hexdigest(),
        )
    )


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    encoded = [(_encoded(name), _encoded(value)) for name, _, value in pairs]
    return "&".join([f"{name}={value}" for name, value in sorted(encoded)])


def _encoded(text: str) -> str:
    return quote(unquote(text, "latin-1"), safe="-_.~", encoding="latin-1")


def _host(url: str) -> str:
    """Return the Host header as an HTTP client writes it: the port where it is not the scheme's own."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    usual = ":443" if parts.scheme == "https" else ":80"
    return host.removesuffix(usual)


def _needed(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ValueError(f"{name} is not set in the environment")
    return value
