"""`streamer doctor extensions`: what is installed, what the settings name, and why one of those cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streamer.extensions import JUDGES, SIGNERS
from tests.cli.conftest import Cli, runs
from tests.support.packages import install, install_example


@pytest.fixture
def doctor(own_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return what runs `streamer` beside three packages, one of them broken."""
    site = own_directory / "site"
    install_example(site, "streamer-slack-judge")
    install_example(site, "streamer-sigv4")
    install(site, "acme-hooks", {SIGNERS: {"acme": "acme_doctor:Sign"}}, acme_doctor="raise OSError('no such shop')")
    monkeypatch.syspath_prepend(str(site))
    return runs({})


def test_what_is_installed_is_listed_and_not_imported(doctor: Cli) -> None:
    """By group, with the package; nothing is wrong with what nobody has named."""
    run = doctor("doctor", "extensions")
    assert run.code == 0
    rows = [line.split() for line in run.lines]
    assert [SIGNERS, "sigv4", "streamer-sigv4", "0.1.0", "no"] in rows
    assert [SIGNERS, "acme", "acme-hooks", "1.0", "no"] in rows
    assert run.stderr == ""


def test_those_that_the_settings_name_are_made(doctor: Cli) -> None:
    """Exit 0 where a worker would start."""
    run = doctor("doctor", "extensions", "--json", STREAMER_EXTENSIONS="slack")
    found = json.loads(run.stdout)
    assert (run.code, found["usable"], found["problems"]) == (0, True, [])
    slack = {"name": "slack", "group": JUDGES, "package": "streamer-slack-judge 0.1.0", "named": True}
    assert slack in found["extensions"]


def test_everything_that_is_wrong_is_said_at_once(doctor: Cli) -> None:
    """Exit 1, and a line for each extension that keeps a worker from starting."""
    run = doctor("doctor", "extensions", STREAMER_EXTENSIONS="acme, slack, nobody sigv4")
    assert run.code == 1
    problems = run.stderr.splitlines()
    assert len(problems) == 3
    assert (
        "acme (streamer.signers, acme-hooks 1.0): acme_doctor:Sign cannot be imported: OSError: no such shop"
        in problems[0]
    )
    assert "nobody is not installed beside Streamer; installed are: acme, sigv4, slack" in problems[1]
    assert "SIGV4_DOMAINS is not set" in problems[2]
