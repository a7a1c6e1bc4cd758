"""The egress proxy's address: what is understood, and the words for what is not."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.settings.load import SettingsError, load
from streamer.settings.proxy import ProxyUrl, parse_proxy_url

SECRET = "open-sesame"


@pytest.mark.parametrize(
    ("text", "host", "port", "user"),
    [
        ("http://proxy:4750", "proxy", 4750, ""),
        ("http://proxy.internal:4750/", "proxy.internal", 4750, ""),
        ("http://[::1]:3128", "[::1]", 3128, ""),
        ("http://streamer@10.0.0.1:3128", "10.0.0.1", 3128, "streamer"),
        ("http://a%40b@proxy:1", "proxy", 1, "a@b"),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int, user: str) -> None:
    """Host, port and user; written back as it was."""
    assert parse_proxy_url(text) == ProxyUrl(text, host, port, user)
    assert str(parse_proxy_url(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "proxy:4750",
        "http://proxy",
        "https://proxy:4750",
        "socks5://proxy:1080",
        "http://proxy:0",
        "http://proxy:65536",
        "http://pro xy:1",
        "http://proxy:1/path",
        "http://proxy:1?x",
    ],
)
def test_what_is_no_address_is_refused_with_what_is_allowed(text: str) -> None:
    """The sentence names the setting and how to write it."""
    (problem,) = refused({"http.proxy": text})
    assert problem.startswith("http.proxy (flag): ")
    assert "http://[USER@]HOST:PORT" in problem


def test_a_password_has_a_setting_of_its_own() -> None:
    """In the address it is refused, unquoted; without a user it is of no use."""
    (problem,) = refused({"http.proxy": f"http://streamer:{SECRET}@proxy:4750"})
    assert "http.proxy_password" in problem
    assert SECRET not in problem
    for proxy in ("", "http://proxy:4750"):
        (problem,) = refused({"http.proxy": proxy, "http.proxy_password": SECRET})
        assert problem.startswith("http.proxy_password needs an http.proxy with a user")
        assert SECRET not in problem


def test_both_are_read() -> None:
    """A user's password stays out of what is shown."""
    http = load(environ={}, flags={"http.proxy": "http://me@proxy:1", "http.proxy_password": SECRET}).settings.http
    assert http.proxy == ProxyUrl("http://me@proxy:1", "proxy", 1, "me")
    assert http.proxy_password is not None
    assert http.proxy_password.get_secret_value() == SECRET
    assert SECRET not in repr(http)


def refused(flags: dict[str, Any]) -> tuple[str, ...]:
    """Return the problems that settings with these flags have."""
    with pytest.raises(SettingsError) as caught:
        load(environ={}, flags=flags)
    return tuple(caught.value.problems)
