"""`streamer domains tls` and `auth`: what they write, show, warn of and refuse, on the real broker."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.broker


def test_tls_is_set_part_by_part(cli: Cli) -> None:
    """What is not given stays; verification that is off is warned of, and shown."""
    ca = cli("domains", "tls", "a.test", "--ca", "their-ca", "--json").objects[0]
    assert (ca["record"], ca["notes"]) == ({"tls": {"ca": "their-ca"}}, [])
    off = cli("domains", "tls", "a.test", "--no-verify", "--http2", "off", "--json").objects[0]
    assert off["record"] == {"tls": {"ca": "their-ca", "verify": False}, "http2": "off"}
    assert "not verified" in off["notes"][0]
    shown = " ".join(cli("domains", "show", "a.test").stdout.split())
    assert "tls.verify NO: whoever is in between can read and change everything domain a.test" in shown
    assert "tls.ca secret their-ca" in shown
    assert "note: certificates of this domain are not verified" in cli("domains", "tls", "a.test", "--no-verify").stdout
    on = cli("domains", "tls", "a.test", "--verify", "--ca", "", "--json").objects[0]
    assert on["record"] == {"http2": "off"}


def test_credentials_are_set_whole_and_taken_away(cli: Cli) -> None:
    """New credentials take the old ones' place; none leaves the rest of the record."""
    words = ("--secret", "door", "--user", "me", "--token-url", "https://auth.test/token", "--scope", "read")
    set_ = cli("domains", "auth", "a.test", "oauth2", *words, "--business", "acme", "--business", "b", "--json")
    assert set_.objects[0]["record"]["auth"] == {
        "type": "oauth2",
        "secret": "door",
        "user": "me",
        "token_url": "https://auth.test/token",
        "scope": "read",
        "businesses": ["acme", "b"],
    }
    assert cli("domains", "limit", "a.test", "--concurrency", "2").code == 0
    again = cli("domains", "auth", "a.test", "bearer", "--secret", "key", "--json")
    assert again.objects[0]["record"] == {"concurrency": 2, "auth": {"type": "bearer", "secret": "key"}}
    assert cli("domains", "auth", "a.test", "none", "--json").objects[0]["record"] == {"concurrency": 2}


REFUSED = (
    (("tls", "*", "--no-verify"), "tls"),
    (("tls", "a.test", "--ca", "no name"), "tls.ca must be 1 to 64 letters"),
    (("auth", "a.test", "basic", "--secret", "x"), "auth.user is required with type basic"),
    (("auth", "a.test", "basic", "--secret", "x", "--user", "a:b"), "auth.user may have no colon"),
    (("auth", "a.test", "bearer", "--secret", "x", "--scope", "y"), "auth.scope does not go with type bearer"),
    (("auth", "a.test", "bearer"), "--secret is required: the name of the secret, never its value"),
    (("auth", "a.test", "none", "--secret", "x"), "--secret does not go with none"),
    (
        ("auth", "a.test", "oauth2", "--secret", "x", "--user", "y", "--token-url", "auth.test"),
        "auth.token_url must begin with http:// or https://",
    ),
)


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_what_no_worker_would_take_is_refused(cli: Cli, words: tuple[str, ...], said: str) -> None:
    """Nothing is written, and the message names the field or flag."""
    run = cli("domains", *words)
    assert run.code == 2
    assert said in run.stderr
    assert cli("domains", "ls", "--json").objects == []
