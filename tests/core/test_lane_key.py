"""One target has one lane, and a URL with two meanings has none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.lane_key import lane_key

KEYS = [
    ("https://example.com/hooks?a=1#b", "example.com"),
    ("https://EXAMPLE.Com", "example.com"),
    ("HTTPS://example.com/", "example.com"),
    ("http://example.com./x", "example.com"),
    ("https://example.com?x=1", "example.com"),
    ("https://example.com#x", "example.com"),
    ("https://example.com:443/", "example.com"),
    ("http://example.com:80/", "example.com"),
    ("http://example.com:443/", "example.com:443"),
    ("https://example.com:80/", "example.com:80"),
    ("http://example.com:08080/", "example.com:8080"),
    ("http://localhost:8080/", "localhost:8080"),
    ("http://my_service:9000/", "my_service:9000"),
    ("https://münchen.de/ä?ö", "xn--mnchen-3ya.de"),
    ("https://MÜNCHEN.de/", "xn--mnchen-3ya.de"),
    ("https://xn--MNCHEN-3ya.de/", "xn--mnchen-3ya.de"),
    ("https://日本語.jp:8443/", "xn--wgv71a119e.jp:8443"),
    ("https://xn--fa-hia.de/", "xn--fa-hia.de"),
    ("http://192.0.2.7/", "192.0.2.7"),
    ("http://192.0.2.7./", "192.0.2.7"),
    ("http://192.0.2.7:8080/", "192.0.2.7:8080"),
    ("http://[2001:DB8:0:0::1]/", "[2001:db8::1]"),
    ("http://[2001:db8::1]:8080/", "[2001:db8::1]:8080"),
    ("http://[::ffff:192.0.2.7]/", "[::ffff:c000:207]"),
    ("http://[::FFFF:c000:207]/", "[::ffff:c000:207]"),
    ("http://r3---sn-abc.example.com/", "r3---sn-abc.example.com"),
    ("http://1e100.example/", "1e100.example"),
    ("http://" + "a" * 63 + ".com/", "a" * 63 + ".com"),
    ("http://example.com/a\u00e9", "example.com"),
]

REFUSED = [
    ("", "must begin"),
    ("example.com/x", "must begin"),
    ("//example.com/", "must begin"),
    ("ftp://example.com/", "must begin"),
    ("http\u017f://example.com/", "must begin"),
    ("file:///etc/passwd", "must begin"),
    ("javascript:alert(1)", "must begin"),
    ("http:example.com", "must begin"),
    ("http:/example.com", "must begin"),
    ("http://", "no host"),
    ("http:///path", "no host"),
    ("http://?x", "no host"),
    ("http://user@example.com/", "user or password"),
    ("http://user:secret@example.com/", "user or password"),
    ("http://example.com@127.0.0.1/", "user or password"),
    ("http://127.0.0.1\\@example.com/", "'\\\\'"),
    ("http://exa mple.com/", "' '"),
    ("http://example.com/a b", "' '"),
    (" http://example.com/", "' '"),
    ("http://example.com/\r\nX: y", "'\\r'"),
    ("http://exam\tple.com/", "'\\t'"),
    ("http://example.com/\x00", "'\\x00'"),
    ("http://example.com/\x7f", "'\\x7f'"),
    ("http://example.com/\u2028", "'\\u2028'"),
    ("http://example.com/\ud800", "'\\ud800'"),
    ("http://example.com:/", "unreadable host or port"),
    ("http://:80/", "unreadable host or port"),
    ("http://example.com:http/", "unreadable host or port"),
    ("http://example.com:80:80/", "unreadable host or port"),
    ("http://example.com:-1/", "unreadable host or port"),
    ("http://example.com:٨٠/", "unreadable host or port"),
    ("http://example.com:0/", "port 0"),
    ("http://example.com:65536/", "port 65536"),
    ("http://example.com:99999/", "port 99999"),
    ("http://[::1/", "unreadable host or port"),
    ("http://::1/", "unreadable host or port"),
    ("http://[127.0.0.1]/", "no IPv6 address"),
    ("http://[fe80::1%25eth0]/", "without a zone"),
    ("http://ex%61mple.com/", "a % in its host"),
    ("http://a..b/", "'' in its host"),
    ("http://.example.com/", "'' in its host"),
    ("http://./", "'' in its host"),
    ("http://example.com../", "'' in its host"),
    ("http://" + "a" * 64 + ".com/", "in its host"),
    ("http://" + ".".join(["a" * 60] * 5) + "/", "host of 304 characters"),
    ("http://-a.com/", "'-a' in its host"),
    ("http://a-.com/", "'a-' in its host"),
    ("http://a*b.com/", "in its host"),
    ("http://2130706433/", "four numbers"),
    ("http://0x7f000001/", "four numbers"),
    ("http://0x7f.1/", "four numbers"),
    ("http://127.1/", "four numbers"),
    ("http://0177.0.0.1/", "four numbers"),
    ("http://127.000.000.001/", "four numbers"),
    ("http://1.2.3.4.5/", "four numbers"),
    ("http://256.0.0.1/", "four numbers"),
    ("http://example.0x/", "four numbers"),
    ("http://①②⑦.⓪.⓪.①/", "ASCII form"),
    ("http://ｅxample.com/", "ASCII form"),
    ("http://127。0。0。1/", "ASCII form"),
    ("http://faß.de/", "ASCII form"),
    ("http://a\u200db.com/", "ASCII form"),
    ("http://" + "ü" * 70 + ".de/", "ASCII form"),
    ("http://\u0301a.com/", "ASCII form"),
    ("http://xn--a/", "no international name"),
    ("http://xn--abc-/", "in its host"),
]


@pytest.mark.parametrize(("url", "key"), KEYS)
def test_key(url: str, key: str) -> None:
    """The key is the ASCII host, with the port unless it is the scheme's own."""
    assert lane_key(url) == key


@pytest.mark.parametrize(("url", "part"), REFUSED)
def test_refused(url: str, part: str) -> None:
    """A URL without a clear target is refused, and the message says why."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is what is asserted
        lane_key(url)
    assert part in str(caught.value)


@given(st.text(max_size=60) | st.text(alphabet="a1.-:[]@/%xX0fü。①\\ ", max_size=30).map("http://".__add__))
def test_any_text_has_a_key_or_a_reason(url: str) -> None:
    """Whatever text comes, it has a lower-case ASCII key, or a ValueError of ours that says what is allowed."""
    try:
        key, reason = lane_key(url), None
    except ValueError as error:
        key, reason = "", error
    assert key.isascii()
    assert key == key.lower()
    assert bool(key) != bool(str(reason or ""))
    assert not isinstance(reason, UnicodeError)


@given(st.sampled_from([url for url, _ in KEYS]))
def test_a_key_is_its_own_key(url: str) -> None:
    """Read again as a URL, a key names the same lane: nothing is left to normalise."""
    key = lane_key(url)
    scheme = "http" if not url.lower().startswith("https") else "https"
    assert lane_key(f"{scheme}://{key}/") == key
