"""`streamer doctor url`: the verdict, each check, and what the settings change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, runs
from tests.support.ssrf import REFUSED


@pytest.fixture
def doctor(own_directory: Path) -> Cli:
    """Return what runs `streamer` with default settings, far from any broker."""
    return runs({})


def test_public_address_may_be_called(doctor: Cli) -> None:
    """Exit 0, and each check that was made."""
    run = doctor("doctor", "url", "https://1.1.1.1/hooks", "--json")
    assert run.code == 0
    found = json.loads(run.stdout)
    assert found["allowed"] is True
    assert [check["name"] for check in found["checks"]] == ["url", "host", "address", "port"]
    assert found["checks"][0]["found"] == "sent as https://1.1.1.1/hooks; its domain is 1.1.1.1"


def test_every_literal_way_inside_is_refused(doctor: Cli) -> None:
    """Exit 1 and the failed check, for each URL of the corpus that needs no name server."""
    literal = [case for case in REFUSED if case.leads_to is None and case.url]
    assert len(literal) > 150
    for case in literal:
        run = doctor("doctor", "url", "--json", "--", case.url)
        failed = [check["name"] for check in json.loads(run.stdout)["checks"] if not check["passed"]]
        assert (run.code, failed) == (1, [case.refused_by]), case.url


def test_settings_open_and_close(doctor: Cli) -> None:
    """What is denied is denied, whatever else allows it; what is opened is open on every port."""
    url = "http://127.0.0.1:6379/"
    assert doctor("doctor", "url", url).code == 1
    assert doctor("doctor", "url", url, STREAMER_HTTP__ALLOW_CIDRS="127.0.0.0/8").code == 0
    both = {"STREAMER_HTTP__ALLOW_CIDRS": "127.0.0.0/8", "STREAMER_HTTP__DENY_CIDRS": "127.0.0.1/32"}
    assert "http.deny_cidrs" in doctor("doctor", "url", url, **both).stdout
    named = {"STREAMER_HTTP__DENY_HOSTS": "*.example.com 1.1.1.1"}
    assert "http.deny_hosts" in doctor("doctor", "url", "https://a.b.example.com/", **named).stdout
    assert doctor("doctor", "url", "https://1.1.1.1/", **named).code == 1
    assert doctor("doctor", "url", "https://1.1.1.1:8444/").code == 1
    assert doctor("doctor", "url", "https://1.1.1.1:8444/", STREAMER_HTTP__PORTS="443 8444").code == 0


@pytest.mark.parametrize("host", ["example.com:80", "*", "*.", "http://example.com", "a..b", "*.*.example.com"])
def test_host_that_is_none_is_refused_in_the_settings(doctor: Cli, host: str) -> None:
    """The setting is named, and what a host looks like."""
    run = doctor("doctor", "url", "https://1.1.1.1/", STREAMER_HTTP__DENY_HOSTS=host)
    assert run.code != 0
    assert "http.deny_hosts" in run.stderr
    assert "without a port" in run.stderr
