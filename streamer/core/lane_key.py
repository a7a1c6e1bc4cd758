"""The lane of a URL: its host in lower-case ASCII, and the port when it is not the scheme's own.

Must not know what a lane holds, nor whether the address behind a host may be called.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from unicodedata import category

# ASCII, or a long s would stand for that of https.
_START = re.compile(r"(https?)://([^/?#]*)", re.IGNORECASE | re.ASCII)
# Parsers disagree about these: some strip them, some end the host there. A URL with one has two meanings.
_FORBIDDEN = re.compile(r"[\s\x00-\x20\x7f-\x9f\\\ud800-\udfff]")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{1,5}))?\Z")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\Z")
# As in the WHATWG URL standard: such a last label makes the whole host an IPv4 address, in some notation.
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
# IDNA 2003 (the standard library's) and UTS 46 (the HTTP client's) make two hosts of these.
_DEVIANT = re.compile("[ßςẞ\u200c\u200d]")
_JOINERS = re.compile("[\u200c\u200d]")

_DEFAULT_PORT = {"http": 80, "https": 443}
_HIGHEST_PORT = 65_535
_LONGEST_HOST = 253
_URLS = 'allowed is an absolute URL such as "https://example.com/hooks"'


def lane_key(url: str) -> str:
    """Return the lane key of a URL; ValueError says what is wrong with it and what is allowed.

    One target has one key however its host is written: upper case, IDNA, a trailing dot and the default port
    make no difference, and other notations of IPv4 addresses than four plain numbers are refused.
    """
    # Nearly all URLs are plain, and these are faster than the expression.
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not plain and (found := _FORBIDDEN.search(url)):
        raise ValueError(f"has {found[0]!a}; white space, control characters and backslashes must be escaped")
    start = _START.match(url)
    if start is None:
        raise ValueError(f"must begin with http:// or https://; {_URLS}")
    return _key(*start.groups())


@lru_cache(maxsize=16_384)
def _key(scheme: str, authority: str) -> str:
    usual_port = _DEFAULT_PORT[scheme.lower()]
    if not authority:
        raise ValueError(f"has no host; {_URLS}")
    if "@" in authority:
        raise ValueError("has a user or password before the host; use an Authorization header")
    match = _AUTHORITY.match(authority)
    if match is None:
        raise ValueError(f"has an unreadable host or port; {_URLS} or, with a port from 1 to 65535, example.com:8080")
    host = _ipv6(match[1]) if match[1][0] == "[" else _host(match[1])
    port = int(match[2]) if match[2] else usual_port
    if not 1 <= port <= _HIGHEST_PORT:
        raise ValueError(f"has port {port}; allowed are 1 to 65535")
    return host if port == usual_port else f"{host}:{port}"


def _ipv6(bracketed: str) -> str:
    try:
        if "%" in bracketed:
            raise AddressValueError
        address = IPv6Address(bracketed[1:-1])
    except AddressValueError:
        raise ValueError(f"has {bracketed[:60]!a}, which is no IPv6 address without a zone") from None
    if mapped := address.ipv4_mapped:
        # Written by hand: Python versions differ, and two workers must not make two lanes of one host.
        high, low = divmod(int(mapped), 1 << 16)
        return f"[::ffff:{high:x}:{low:x}]"
    return f"[{address.compressed}]"


def _host(written: str) -> str:
    name = written.removesuffix(".").lower()
    if "%" in name:
        raise ValueError("has a % in its host; write the host plainly")
    host = ".".join(label if label.isascii() else _idna(label) for label in name.split("."))
    if len(host) > _LONGEST_HOST:
        raise ValueError(f"has a host of {len(host)} characters; allowed are {_LONGEST_HOST}")
    labels = host.split(".")
    for label in labels:
        if not _LABEL.match(label):
            raise ValueError(
                f"has {label[:70]!a} in its host; a part is 1 to 63 letters, digits, _ or -, no - at its ends"
            )
        if label.startswith("xn--"):
            _check_punycode(label)
    if _NUMBER.match(labels[-1]):
        return _ipv4(host)
    return host


def _ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        raise ValueError(f"has {host[:60]!a}; an IPv4 address is four numbers 0 to 255 without leading zeros") from None


def _idna(label: str) -> str:
    """Return the ASCII form of an international label, where there is no doubt about it."""
    hint = f"has {label[:70]!a} in its host; write its ASCII form (xn--…)"
    if _DEVIANT.search(label) or category(label[0])[0] == "M":  # The client takes no leading combining mark.
        raise ValueError(hint)
    try:
        encoded = label.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(hint) from None
    if not encoded.startswith("xn--"):
        # Full-width letters, circled digits, other dots become plain ASCII, and 127。0。0。1 an address.
        raise ValueError(hint)
    return encoded


def _check_punycode(label: str) -> None:
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        decoded = ""
    if decoded.isascii() or not _JOINERS.sub("", decoded).isprintable():
        raise ValueError(f"has {label[:70]!a} in its host, which is no international name")
