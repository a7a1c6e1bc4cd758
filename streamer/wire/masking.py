"""Which headers, URL parameters and fields stay out of records that people read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any
from urllib.parse import unquote_plus

import orjson

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
        "x-goog-api-key",
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
#: Names, in lower case, of URL parameters that carry secrets; signed URLs of clouds among them.
SENSITIVE_QUERY = frozenset(
    {
        "access_token",
        "api-key",
        "api_key",
        "apikey",
        "auth",
        "auth_token",
        "authorization",
        "awsaccesskeyid",
        "client_secret",
        "hmac",
        "id_token",
        "jwt",
        "key",
        "passwd",
        "password",
        "private_key",
        "pwd",
        "refresh_token",
        "secret",
        "session",
        "session_token",
        "sessionid",
        "sig",
        "signature",
        "token",
        "x-amz-credential",
        "x-amz-security-token",
        "x-amz-signature",
        "x-api-key",
        "x-goog-credential",
        "x-goog-signature",
    }
)
#: Headers whose value is a URL.
_WITH_URL = frozenset({"location", "content-location", "referer", "refresh", "link"})

_NAME = itemgetter(0)
#: So many names, and no longer ones, are remembered as not masked.
_MOST_PASSED, _LONGEST_PASSED = 1_000, 64

_PARAMETER = re.compile(r"([?&;#])([^=&;#?\s]{1,256})=([^&;#\s]*)")
_USER = re.compile(r"(?<=://)[^/?#@\s]*@")


@dataclass(frozen=True, slots=True)
class Masking:
    """The names whose values are masked, in lower case; what an installation adds stands beside what always is.

    ``fields`` are those of bodies, JSON or form; none are unless an installation names them. With
    ``own_headers`` all values of headers that a task itself names are masked: where requests are encrypted.
    """

    headers: frozenset[str] = SENSITIVE_HEADERS
    query: frozenset[str] = SENSITIVE_QUERY
    fields: frozenset[str] = frozenset()
    own_headers: bool = False
    _watched: frozenset[str] = field(init=False, repr=False, compare=False)
    _passed: set[str] = field(init=False, repr=False, compare=False, default_factory=set)

    def __post_init__(self) -> None:
        # Most headers are none of these, and this is asked of each one of each result.
        object.__setattr__(self, "_watched", self.headers | _WITH_URL)

    def shows_all(self, headers: Sequence[tuple[str, str]]) -> bool:
        """Tell whether no header has a name that ``shown_headers`` looks at: then it returns them as they are."""
        if self._passed.issuperset(map(_NAME, headers)):
            return True
        names = list(map(_NAME, headers))
        if any(name.lower() in self._watched for name in names):
            return False
        if len(self._passed) < _MOST_PASSED:
            # Most headers have one of a handful of names. Those that a peer makes up are short, or not kept.
            self._passed.update([name for name in names if len(name) <= _LONGEST_PASSED])
        return True

    def shown_headers(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers in their order, the values of sensitive ones replaced."""
        watched = self._watched
        return [
            (name, value if (lower := name.lower()) not in watched else self._value(lower, value))
            for name, value in headers
        ]

    def shown_url(self, text: str) -> str:
        """Return a URL, or a text that holds some, without the values of sensitive parameters and without a user."""
        if "=" in text:
            text = _PARAMETER.sub(self._parameter, text)
        return _USER.sub(f"{MASK}@", text) if "@" in text else text

    def values_in(self, url: str, headers: Iterable[tuple[str, str]]) -> list[str]:
        """Return what is masked of a request, so that it can be looked for where a peer repeats it: none, usually."""
        names = self.headers
        found = [value for name, value in headers if name.lower() in names]
        if found:
            # The scheme before a credential (RFC 9110 §11.4) is no part of it.
            found += [value.partition(" ")[2] for value in found if " " in value]
        if "=" in url:
            written = [match[3] for match in _PARAMETER.finditer(url) if unquote_plus(match[2]).lower() in self.query]
            found += [*written, *(unquote_plus(value) for value in written if "%" in value or "+" in value)]
        return found

    def shown_body(self, body: bytes) -> bytes:
        """Return a body, JSON or form, without the values of the installation's fields."""
        if not self.fields or not body:
            return body
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            return self._by_pattern(body)
        if not self._mask(content):
            return body
        try:
            return orjson.dumps(content)
        except TypeError:
            # More can be read than be written again: a peer nested deeper than anybody does who means it.
            return self._by_pattern(body)

    def _value(self, name: str, value: str) -> str:
        return MASK if name in self.headers else self.shown_url(value)

    def _parameter(self, found: re.Match[str]) -> str:
        return f"{found[1]}{found[2]}={MASK}" if unquote_plus(found[2]).lower() in self.query else found[0]

    def _mask(self, content: Any) -> bool:
        """Mask fields at any depth in place; False when there is none. No recursion: a peer chose the depth."""
        masked, left = False, [content]
        while left:
            item = left.pop()
            if isinstance(item, list):
                left += item
            elif isinstance(item, dict):
                for name, value in item.items():
                    if name.lower() in self.fields:
                        item[name], masked = MASK, True
                    else:
                        left.append(value)
        return masked

    def _by_pattern(self, body: bytes) -> bytes:
        """Mask what can be found in a form, of parts or not, or in JSON that was cut off."""
        names = b"|".join(re.escape(name.encode()) for name in sorted(self.fields))
        quoted = re.compile(
            rb'("(?:' + names + rb')"\s*:\s*)("(?:[^"\\]|\\.)*+"?|[^\s,}\]]+)', re.IGNORECASE | re.DOTALL
        )
        plain = re.compile(rb"((?:^|&)(?:" + names + rb")=)[^&\r\n]*", re.IGNORECASE)
        body = plain.sub(rb"\1***", quoted.sub(rb'\1"***"', body))
        if not body.startswith(b"--"):
            return body
        # A part ends where the line that the body begins with comes again (RFC 2046 §5.1.1).
        end = rb"(?=\r\n" + re.escape(body.partition(b"\r\n")[0]) + rb"|\Z)"
        head = rb'(;[ \t]*name="(?:' + names + rb')"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)'
        return re.sub(head + rb".*?" + end, rb"\1***", body, flags=re.IGNORECASE | re.DOTALL)


#: What is masked where an installation adds nothing.
USUAL = Masking()


def extended(headers: Iterable[str] = (), query: Iterable[str] = (), fields: Iterable[str] = ()) -> Masking:
    """Return what is masked when these names are, too."""
    return Masking(SENSITIVE_HEADERS.union(headers), SENSITIVE_QUERY.union(query), frozenset(fields))
