"""The example packages, loaded by their own entry points, do what their pages say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from streamer.adapters.extensions.loader import ExtensionError, Extensions, load
from streamer.extensions import Answer, Call, Meaning, Planned, RetryAt, Verdict
from tests.support.packages import install_example

AWS = "example.amazonaws.com"
#: 2015-08-30 12:36:00 UTC, as in AWS's own test suite of Signature Version 4, with its keys.
AT_MS = 1_440_938_160_000
KEYS = {"aws-access-key-id": b"AKIDEXAMPLE", "aws-secret-access-key": b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n"}
UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

Use = Callable[..., Extensions]


@pytest.fixture
def use(site: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Install and load an example, with these variables in the environment and these secrets."""

    def loaded(package: str, name: str, secrets: dict[str, bytes] | None = None, **variables: str) -> Extensions:
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)

        async def secret(wanted: str) -> bytes:
            return (secrets or {})[wanted]

        install_example(site, package)
        return load([name], secret)

    return loaded


def call_of(url: str, method: str = "GET", headers: tuple[tuple[str, str], ...] = (), **changed: Any) -> Call:
    """Return a call to AWS."""
    fields: dict[str, Any] = {"domain": AWS, "business": "acme", "body": b"", **changed}
    return Call(
        task_id="tsk_1",
        business_id=None,
        method=method,
        url=url,
        headers=headers,
        attempt=1,
        generation=1,
        webhook_id="tsk_1",
        metadata=(),
        at_ms=AT_MS,
        **fields,
    )


def sigv4(use: Use, secrets: dict[str, bytes] | None = None, service: str = "service", **variables: str) -> Any:
    """Return the signer for AWS's test suite."""
    place = {"SIGV4_DOMAINS": f"other.example {AWS}", "SIGV4_SERVICE": service, "SIGV4_REGION": "us-east-1"}
    return use("streamer-sigv4", "sigv4", secrets or KEYS, **place | variables).signers[0].object


@pytest.mark.parametrize(
    ("call", "signed", "signature"),
    [
        (  # get-vanilla
            call_of(f"https://{AWS}/"),
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (  # get-vanilla-empty-query-key
            call_of(f"https://{AWS}/?Param1=value1"),
            "host;x-amz-date",
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
        ),
        (  # get-vanilla-query-order-key-case
            call_of(f"https://{AWS}/?Param2=value2&Param1=value1"),
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (  # get-vanilla-query-unreserved
            call_of(f"https://{AWS}/?{UNRESERVED}={UNRESERVED}"),
            "host;x-amz-date",
            "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
        ),
        (  # post-vanilla
            call_of(f"https://{AWS}/", "POST"),
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (  # post-vanilla-query
            call_of(f"https://{AWS}/?Param1=value1", "POST"),
            "host;x-amz-date",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
        (  # post-x-www-form-urlencoded
            call_of(
                f"https://{AWS}:443/",
                "POST",
                (("User-Agent", "not signed"), ("content-type", "application/x-www-form-urlencoded")),
                body=b"Param1=value1",
            ),
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
)
async def test_sigv4_makes_the_signatures_that_aws_has_published(
    use: Use, call: Call, signed: str, signature: str
) -> None:
    """By the vectors of AWS's test suite that go by the headers which are signed here."""
    headers = dict(await sigv4(use).headers(call))
    assert headers["X-Amz-Date"] == "20150830T123600Z"
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={signed}, Signature={signature}"
    )


async def test_sigv4_covers_the_token_and_s3s_hash(use: Use) -> None:
    """Temporary credentials bring their token; S3 wants the body's hash in a header."""
    signer = sigv4(use, {**KEYS, "aws-session-token": b"token"}, "s3")
    headers = dict(await signer.headers(call_of(f"https://{AWS}/a%20b", "PUT", (("x-amz-acl", "private"),), body=b"x")))
    assert headers["X-Amz-Security-Token"] == "token"
    assert headers["X-Amz-Content-Sha256"] == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    covered = "SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-security-token,"
    assert covered in headers["Authorization"]


async def test_sigv4_signs_for_its_own_domains_and_businesses_only(use: Use) -> None:
    """Nobody else's task shows AWS our keys' signature; a secret that is not there is an error that names it."""
    signer = sigv4(use, {"aws-access-key-id": b"A"}, SIGV4_BUSINESSES="acme shop")
    assert await signer.headers(call_of("https://example.com/", domain="example.com")) == ()
    assert await signer.headers(call_of(f"https://{AWS}/", business="somebody")) == ()
    with pytest.raises(LookupError, match="aws-secret-access-key"):
        await signer.headers(call_of(f"https://{AWS}/"))


def test_sigv4_asks_for_its_settings(use: Use) -> None:
    """Without them the worker does not start, and says what is missing."""
    with pytest.raises(ExtensionError, match=r"streamer-sigv4 0\.1\.0.*SIGV4_DOMAINS is not set in the environment"):
        use("streamer-sigv4", "sigv4", {})


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Answer(200, (), b'{"ok": true}', False), Verdict(Meaning.SUCCESS, "slack says ok")),
        (
            Answer(200, (), b'{"ok": false, "error": "ratelimited"}', False),
            Verdict(Meaning.RETRY, "slack says ratelimited", 60_000),
        ),
        (
            Answer(200, (), b'{"ok": false, "error": "internal_error"}', False),
            Verdict(Meaning.RETRY, "slack says internal_error"),
        ),
        (
            Answer(200, (), b'{"ok": false, "error": "channel_not_found"}', False),
            Verdict(Meaning.FAIL, "slack says channel_not_found"),
        ),
        (Answer(200, (), b'{"ok": false}', False), Verdict(Meaning.FAIL, "slack says unknown")),
        (Answer(200, (), b'{"ok": fal', True), None),
        (Answer(200, (), b"ok", False), None),
        (Answer(200, (), b"[]", False), None),
        (Answer(200, (), b"\xff", False), None),
        (Answer(429, (), b'{"ok": false, "error": "ratelimited"}', False), None),
    ],
)
def test_the_slack_judge(use: Use, answer: Answer, verdict: Verdict | None) -> None:
    """It has a word on a 200 that says ``ok``, and leaves all else, and other domains, to Streamer."""
    judge = use("streamer-slack-judge", "slack").judges[0].object
    assert judge.judge(call_of("https://slack.com/api/chat.postMessage", domain="slack.com"), answer) == verdict
    assert judge.judge(call_of("https://example.com/", domain="example.com"), answer) is None


def instant(text: str) -> int:
    """Return a local time in Berlin in epoch ms."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp() * 1000)


def planned(due_at_ms: int, **metadata: str) -> Planned:
    """Return a retry that is due then."""
    said = tuple(metadata.items())
    return Planned(
        "tsk_1", "acme", "a.example", "server_error", None, 503, 1, 3, due_at_ms - 1_000, due_at_ms, None, said
    )


@pytest.mark.parametrize(
    ("due", "moved_to"),
    [
        ("2026-01-14T12:00:00", None),
        ("2026-01-14T09:00:00", None),
        ("2026-01-14T08:59:59", "2026-01-14T09:00:00"),
        ("2026-01-14T17:00:00", "2026-01-15T09:00:00"),
        ("2026-01-16T20:00:00", "2026-01-19T09:00:00"),
        ("2026-01-18T12:00:00", "2026-01-19T09:00:00"),
        ("2026-03-27T18:00:00", "2026-03-30T09:00:00"),
        ("2026-10-23T18:00:00", "2026-10-26T09:00:00"),
    ],
)
def test_office_hours(use: Use, due: str, moved_to: str | None) -> None:
    """A retry outside of them waits for the next opening, over weekends and over nights in which clocks change."""
    retry = use("streamer-office-hours", "office-hours").retries[0].object
    expected = RetryAt(instant(moved_to)) if moved_to else None
    assert retry.next(planned(instant(due), office_hours="Europe/Berlin")) == expected
    assert retry.next(planned(instant(due))) is None


@pytest.mark.parametrize("hours", ["9-5", "Mon-Xyz 09:00-17:00", "Fri-Mon 09:00-17:00", "Mon-Fri 17:00-09:00"])
def test_office_hours_that_are_none(use: Use, hours: str) -> None:
    """The worker does not start on them."""
    with pytest.raises(ExtensionError, match=r"office-hours .*ValueError"):
        use("streamer-office-hours", "office-hours", OFFICE_HOURS=hours)
