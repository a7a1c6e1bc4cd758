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


def test_literal_ways_inside_are_refused(doctor: Cli) -> None:
    """Exit 1 and the failed check, for one in six URLs of the corpus that need no name server; `send` is given them all."""
    literal = [case for case in REFUSED if case.leads_to is None and case.url][::6]
    assert len(literal) > 25
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


@pytest.mark.broker
def test_a_businesss_own_rules_are_read_from_kafka(cli: Cli, tmp_path: Path) -> None:
    """With a business its record on `config` is judged too; of one without a record that is said."""
    file = tmp_path / "acme.json"
    file.write_text(json.dumps({"v": 1, "network": {"only_hosts": ["*.acme.example"], "deny_cidrs": ["9.0.0.0/8"]}}))
    assert cli("businesses", "limit", "acme", "--file", str(file)).code == 0
    refused = cli("doctor", "url", "https://1.1.1.1/", "--business", "acme", "--json")
    assert refused.code == 1
    assert json.loads(refused.stdout)["checks"][-1] == {
        "name": "business",
        "passed": False,
        "found": "business acme: 1.1.1.1 is not among its network.only_hosts",
    }
    assert cli("doctor", "url", "https://1.1.1.1/").code == 0
    other = cli("doctor", "url", "https://1.1.1.1/", "--business", "other")
    assert other.code == 0
    assert "nothing is said of whom business other may call" in other.stdout


def test_a_proxy_is_told_of(doctor: Cli) -> None:
    """Where a proxy resolves the names no name server is asked, and the page says so."""
    run = doctor("doctor", "url", "https://nowhere.invalid/", STREAMER_HTTP__PROXY="http://proxy.invalid:4750")
    assert run.code == 0
    assert "http.proxy" in run.stdout


def test_the_own_kafka_is_not_opened(doctor: Cli) -> None:
    """Its port stays shut in a network that is open."""
    opened = {"STREAMER_HTTP__ALLOW_PRIVATE": "true", "STREAMER_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:19092"}
    run = doctor("doctor", "url", "http://127.0.0.1:19092/", **opened)
    assert run.code == 1
    assert "our own Kafka or Redis" in run.stdout
    assert doctor("doctor", "url", "http://127.0.0.1:19093/", **opened).code == 0
