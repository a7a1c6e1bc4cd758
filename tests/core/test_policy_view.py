"""What holds for a domain is shown with the policy that says it, as it holds."""

from __future__ import annotations

import pytest

from streamer.core.codes import parse_codes
from streamer.core.policy import FOREVER_MS, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.policy_view import explain
from streamer.core.rate import parse_rate
from streamer.core.request import Backoff, RetryPolicy
from streamer.core.send_policy import AnswerRule, Auth, AuthKind, Http2, Meaning, SigningKey, Tls


def shown(
    book: PolicyBook, domain: str, business: str | None = None, policy: str | None = None
) -> dict[str, tuple[str, str]]:
    """Return the lines by their fields."""
    return {line.field: (line.text, line.origin) for line in explain(book, domain, business, policy)}


def test_each_value_has_its_origin() -> None:
    """Rate, burst, codes and the rest say who says them."""
    book = PolicyBook(
        Policy(timeout_ms=90_000),
        {"*.example.com": Policy(rate=parse_rate("10/s"), retry_codes=parse_codes([404, "5xx"]))},
        settings=Policy(concurrency=20),
    )
    lines = shown(book, "api.example.com")
    assert lines["rate"] == ("10/s", "domain *.example.com")
    assert lines["burst"] == ("10", "one second of 10/s")
    assert lines["concurrency"] == ("20", "settings")
    assert lines["timeout_ms"] == ("1m30s", "default")
    assert lines["retry_codes"] == ("404, 5xx", "domain *.example.com")
    assert lines["backlog"] == ("none", "built in")
    assert lines["breaker"][0].startswith("opens after 5 failures in a row, 3 to connect, or 50% of at least 20 in 1m")
    assert shown(book, "example.com")["rate"] == ("none", "built in")
    assert "burst" not in shown(book, "example.com")


def test_limits_beside_the_domain_and_shards() -> None:
    """A business's and a policy's limits stand beside the domain's, and a shard's share is told."""
    book = PolicyBook(
        domains={"a.test": Policy(rate=parse_rate("10/s"), shards=2, backlog=5, refuse=True)},
        businesses={"acme": Policy(rate=parse_rate("1/s"), weight=3, concurrency=4)},
        policies={"slow": Policy(rate=parse_rate("2/s"), burst=8, priority=9, sign=True)},
    )
    lines = shown(book, "a.test", "acme", "slow")
    assert lines["shards"] == ("2 (each: 10 at once, 10/2s, burst 5)", "domain a.test")
    assert lines["backlog_full"] == ("refuse", "domain a.test")
    assert lines["rate of business acme, all domains"] == ("1/s", "business acme")
    assert lines["weight of business acme"] == ("3", "business acme")
    assert lines["concurrency of business acme, all domains"] == ("4", "business acme")
    assert lines["burst of policy slow, all domains"] == ("8", "policy slow")
    assert lines["priority"] == ("9", "policy slow")
    assert lines["sign"] == ("yes", "policy slow")
    assert not [field for field in shown(book, "a.test") if "acme" in field or "slow" in field]


def test_shards_that_were_cut_say_so() -> None:
    """A limit that was lowered later is named as what cut the shards."""
    book = PolicyBook(domains={"a.test": Policy(shards=8, concurrency=2)})
    assert shown(book, "a.test")["shards"] == ("2 (each: 1 at once)", "domain a.test, cut to the concurrency")


@pytest.mark.parametrize(
    ("until_ms", "text", "end"), [(0, "no", None), (FOREVER_MS, "until resumed", None), (5, "until", 5)]
)
def test_a_pause_is_told_with_its_end(until_ms: int, text: str, end: int | None) -> None:
    """Whoever prints the line writes the end as an instant."""
    book = PolicyBook(domains={"a.test": Policy(paused_until_ms=until_ms)})
    [line] = [line for line in explain(book, "a.test") if line.field == "paused"]
    assert (line.text, line.until_ms) == (text, end)


@pytest.mark.parametrize(
    ("retry", "text"),
    [
        (RetryPolicy(), "1m, 5m, 30m, 2h"),
        (RetryPolicy(()), "one attempt"),
        (RetryPolicy(None, Backoff(), None), "1s, times 2, at most 1m, jitter 0.1; unlimited attempts"),
        (RetryPolicy(None, None, 3), "3 attempts"),
    ],
)
def test_retries_are_told_in_words(retry: RetryPolicy, text: str) -> None:
    """Waits as people write them, and how many attempts."""
    assert shown(PolicyBook(Policy(retry=retry)), "a.test")["retry"] == (text, "default")


def test_headers_that_are_added_are_shown_each() -> None:
    """A line for each header, from the most specific policy that says any."""
    book = PolicyBook(
        Policy(headers=(("X-All", "1"),)), businesses={"acme": Policy(headers=(("X-A", "1"), ("X-B", "2")))}
    )
    assert shown(book, "a.test", "acme")["header X-B"] == ("2", "business acme")
    assert "header X-All" not in shown(book, "a.test", "acme")
    assert shown(book, "a.test")["header X-All"] == ("1", "default")
    assert "headers" not in shown(book, "a.test")


def test_every_domain_is_shown_as_the_default() -> None:
    """Without a domain the default and the settings are what holds."""
    book = PolicyBook(Policy(concurrency=3), {"*.example.com": Policy(concurrency=4)})
    assert shown(book, "")["concurrency"] == ("3", "default")


def test_rules_on_answers_are_shown_by_their_names() -> None:
    """As results name the rule that fitted, in the words of its condition."""
    busy = AnswerRule(Meaning.RETRY, pointer="/error/code", values=(4290,))
    gone = AnswerRule(Meaning.STOP, text="no such account")
    book = PolicyBook(domains={"a.test": Policy(answer=(busy, gone))})
    lines = shown(book, "a.test")
    assert lines["answer.1"] == ("retry when /error/code of the JSON is 4290", "domain a.test")
    assert lines["answer.2"] == ('stop when the body contains "no such account"', "domain a.test")
    assert "answer.1" not in shown(book, "b.test")


def test_signing_keys_are_shown_by_name_with_their_end() -> None:
    """The keys of the business go before the domain's; those for other domains are not shown, nor is any value."""
    own = (SigningKey("new"), SigningKey("old", until_ms=5), SigningKey("else", domain="b.test"))
    book = PolicyBook(
        domains={"a.test": Policy(signing=(SigningKey("domain's", domain="*.test"),))},
        businesses={"acme": Policy(signing=own)},
    )

    def keys(business: str | None) -> list[tuple[str, str, int | None]]:
        lines = explain(book, "a.test", business)
        return [(line.text, line.origin, line.until_ms) for line in lines if line.field == "signing key"]

    assert keys("acme") == [("new", "business acme", None), ("old until", "business acme", 5)]
    assert keys(None) == [("domain's for *.test", "domain a.test", None)]


def test_transport_and_credentials_are_shown_without_secrets() -> None:
    """Secrets are shown by name; a certificate that is not verified cannot be overlooked."""
    tls = Tls(verify=False, ca="their-ca", client_certificate="our-cert")
    auth = Auth(AuthKind.OAUTH2, "door", "me", "https://auth.test/token", "read", "api", ("acme", "other"))
    book = PolicyBook(
        Policy(http2=Http2.OFF),
        {"*.a.test": Policy(tls=tls, auth=auth), "b.test": Policy(auth=Auth(AuthKind.BEARER, "door"), tls=Tls())},
    )
    lines = shown(book, "x.a.test")
    assert lines["tls.verify"][0].startswith("NO: ")
    assert lines["tls.ca"] == ("secret their-ca", "domain *.a.test")
    assert lines["tls.client_certificate"] == ("secret our-cert", "domain *.a.test")
    assert lines["http2"] == ("off", "default")
    told = "oauth2 as me with secret door, token from https://auth.test/token, scope read, audience api"
    assert lines["auth"] == (f"{told}, for acme, other only", "domain *.a.test")
    lines = shown(book, "b.test")
    assert (lines["tls.verify"][0], lines["auth"][0]) == ("yes", "bearer with secret door")
    assert not {"tls.verify", "auth", "tls.ca"} & shown(book, "c.test").keys()
