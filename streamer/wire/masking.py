"""Which header values stay out of records that people read."""

from __future__ import annotations

from collections.abc import Iterable

MASK = "***"

#: Names, in lower case, of headers that carry secrets.
SENSITIVE_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "proxy-authenticate",
        "authentication-info",
        "proxy-authentication-info",
        "cookie",
        "set-cookie",
        "api-key",
        "apikey",
        "x-api-key",
        "x-apikey",
        "x-auth-token",
        "x-access-token",
        "x-csrf-token",
        "x-xsrf-token",
        "x-amz-security-token",
        "x-goog-iam-authorization-token",
        "x-ms-authorization-auxiliary",
        "ocp-apim-subscription-key",
        "x-functions-key",
        "x-vault-token",
        "x-gitlab-token",
        "private-token",
        "www-authenticate",
    }
)


def masked(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers in their order, the values of sensitive ones replaced."""
    return [(name, MASK if name.lower() in SENSITIVE_HEADERS else value) for name, value in headers]
