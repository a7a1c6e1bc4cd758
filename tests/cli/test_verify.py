"""`streamer verify` and `streamer signing new`: answers and exit codes, without a broker."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from streamer.adapters.http.signing import signature_of
from streamer.adapters.http.signing_keys import public_key_of
from tests.cli.conftest import Cli, Run, runs

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"test": 2432232314}'
AT_S = 1_614_265_330
AT = "2021-02-25T15:02:10Z"
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": str(AT_S),
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


@pytest.fixture
def cli(own_directory: Path) -> Cli:
    """Return what runs `streamer` where there is no cluster."""
    return runs({})


def verified(cli: Cli, *flags: str, headers: dict[str, str] = HEADERS, body: str = BODY) -> Run:
    """Check a call whose body comes from stdin."""
    given = [word for name, value in headers.items() for word in ("--header", f"{name}: {value}")]
    return cli("verify", "-", *given, *flags, stdin=body)


def test_a_known_call_is_valid(cli: Cli) -> None:
    """The specification's own example, judged as of its time; now it is too old."""
    run = verified(cli, "--secret", SECRET, "--at", AT)
    assert (run.code, run.stdout) == (0, "valid\n")
    old = verified(cli, "--secret", SECRET, "--json")
    assert old.code == 1
    assert old.objects[0]["valid"] is False
    assert "s old; 300 s are allowed" in old.objects[0]["reason"]
    assert verified(cli, "--secret", SECRET, "--tolerance", "36500d").code == 0


def test_keys_headers_and_body_come_from_files(cli: Cli, own_directory: Path) -> None:
    """Headers are taken as curl shows them, names without regard to case, and the body byte by byte."""
    (own_directory / "key").write_text(f"{SECRET}\n")
    (own_directory / "body").write_text(BODY)
    lines = [f"{name.title()}: {value}" for name, value in HEADERS.items()]
    (own_directory / "headers").write_text("\r\n".join(["POST /hooks HTTP/1.1", "Host: a:1", *lines, "", ""]))
    run = cli("verify", "body", "--header-file", "headers", "--secret-file", "key", "--at", AT)
    assert (run.code, run.stdout) == (0, "valid\n")
    (own_directory / "body").write_text(BODY + "\n")
    run = cli("verify", "body", "--header-file", "headers", "--secret-file", "key", "--at", AT)
    assert (run.code, run.stdout) == (
        1,
        "not valid: no entry of webhook-signature is by the key over this id, timestamp and body\n",
    )


def test_a_pair_made_here_signs_and_its_public_key_checks(cli: Cli) -> None:
    """What `signing new` prints is what signs, and what receivers check with."""
    made = cli("signing", "new", "--ed25519", "--json").objects[0]
    assert made["public_key"] == public_key_of(made["secret"].encode())
    at_s = int(time.time())
    signature = signature_of([made["secret"].encode()], "m", at_s, b"body")
    headers = {"webhook-id": "m", "webhook-timestamp": str(at_s), "webhook-signature": signature}
    assert verified(cli, "--public-key", made["public_key"], headers=headers, body="body").code == 0
    assert verified(cli, "--public-key", made["public_key"], headers=headers, body="other").code == 1
    plain = cli("signing", "new")
    assert plain.stdout.startswith("secret      whsec_")
    assert "public" not in plain.stdout
    assert list(cli("signing", "new", "--json").objects[0]) == ["secret"]


def test_headers_may_be_written_with_an_equals_sign(cli: Cli) -> None:
    """Both forms are taken, and a signature's own signs are no mark."""
    given = [word for name, value in HEADERS.items() for word in ("--header", f"{name}={value}")]
    assert cli("verify", "-", *given, "--secret", SECRET, "--at", AT, stdin=BODY).code == 0


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ((), "give a key: --secret-file, --secret or --public-key"),
        (("--secret", "whsec_AAAA"), "the key holds 3 bytes after whsec_; 24 to 64 are allowed"),
        (("--secret-file", "none"), "--secret-file none: cannot be read: No such file"),
        (("--secret-file", "-"), "cannot both come from stdin"),
        (("--secret", SECRET, "--header", "x"), '--header must be "NAME: VALUE"'),
        (("--secret", SECRET, "--header", "webhook-id: other"), "webhook-id is given twice"),
        (("--secret", SECRET, "--header-file", "none"), "--header-file none: cannot be read"),
        (("--secret", SECRET, "--at", "now"), "--at must be an RFC 3339 instant"),
        (("--secret", SECRET, "--tolerance", "5"), "--tolerance: '5' is no duration"),
    ],
)
def test_wrong_usage_is_exit_code_2(cli: Cli, flags: tuple[str, ...], part: str) -> None:
    """A call that could not be checked is not one that is not valid."""
    run = verified(cli, *flags)
    assert run.code == 2
    assert part in run.stderr.replace("\n", " ")


def test_missing_headers_are_a_call_that_is_not_valid(cli: Cli) -> None:
    """Somebody who does not sign sends none of them."""
    run = verified(cli, "--secret", SECRET, "--json", headers={})
    assert (run.code, json.loads(run.stdout)["reason"]) == (1, "there is no webhook-id")
    assert run.stderr == ""
