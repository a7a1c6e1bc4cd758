"""`streamer secrets`: values go in by standard input and never come out, and scopes are records on `config`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Run, runs

VALUE = "hunter2-hunter2"


@pytest.fixture
def local(own_directory: Path) -> Cli:
    """Return what runs `streamer` without a broker."""
    return runs({"STREAMER_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"})


def told(run: Run) -> str:
    """Return all that a command said, in which no value stands."""
    assert VALUE not in run.stdout + run.stderr
    return run.stdout + run.stderr


def test_a_secret_is_set_listed_replaced_and_removed(local: Cli, own_directory: Path) -> None:
    """The first one begins the store and its key; the list tells the source and never the value."""
    first = local("secrets", "set", "api-key", stdin=VALUE + "\n")
    assert first.code == 0, first.stderr
    assert "wrote a new key to .streamer/secrets.key" in told(first)
    assert (own_directory / ".streamer" / "secrets.key").stat().st_mode & 0o077 == 0
    again = local("secrets", "set", "api-key", "--json", stdin=VALUE)
    assert again.objects == [{"name": "api-key", "set": "replaced", "key_file": None}]
    listed = local("secrets", "ls", "--local", "--json")
    assert [(row["name"], row["source"]) for row in listed.objects] == [("api-key", "store .streamer/secrets.json")]
    assert "api-key" in told(local("secrets", "ls", "--local"))
    assert local("secrets", "rm", "api-key").code == 0
    gone = local("secrets", "rm", "api-key")
    assert (gone.code, "is not in .streamer/secrets.json" in gone.stderr) == (1, True)


def test_a_source_that_goes_first_is_told_of(local: Cli, own_directory: Path) -> None:
    """Who sets what the environment has already learns that it changes nothing."""
    (own_directory / "files").mkdir()
    (own_directory / "files" / "token").write_text(VALUE)
    more = {"STREAMER_SECRET_API_KEY": VALUE, "STREAMER_SECRETS__DIRECTORY": "files"}
    assert "note: environment has it, too" in told(local("secrets", "set", "api_key", stdin=VALUE, **more))
    rows = {row["name"]: row["source"] for row in local("secrets", "ls", "--local", "--json", **more).objects}
    assert rows == {"api_key": "environment", "token": "directory files"}


def test_the_key_is_replaced(local: Cli, own_directory: Path) -> None:
    """Everything is encrypted anew, and can be read as before."""
    local("secrets", "set", "a", stdin=VALUE)
    path = own_directory / ".streamer" / "secrets.key"
    before = path.read_bytes()
    assert "1 secrets are encrypted with a new key" in told(local("secrets", "rotate-key"))
    assert path.read_bytes() != before
    rotated = local("secrets", "rotate-key", "--json")
    assert rotated.objects == [{"secrets": 1, "key_file": ".streamer/secrets.key"}]


REFUSED = [
    (("secrets", "set", "a b"), VALUE, "no name of a secret"),
    (("secrets", "set", "..a"), VALUE, "no name of a secret"),
    (("secrets", "set", "a"), "\n", "standard input is empty"),
    (("secrets", "set", "a"), "x" * 70_000, "longer than 65536 bytes"),
    (("secrets", "rotate-key"), "", "is not there: `streamer secrets set NAME` begins it"),
    (("secrets", "allow", "a"), "", "say who may name it"),
    (("secrets", "allow", "a", "--domain", "a b"), "", "--domain: 'a b' is no domain"),
    (("secrets", "allow", "a", "--business", "b", "--all-businesses"), "", "say one of them"),
]


@pytest.mark.parametrize(("arguments", "stdin", "reason"), REFUSED)
def test_wrong_usage_is_explained(local: Cli, arguments: tuple[str, ...], stdin: str, reason: str) -> None:
    """Each refusal says what is allowed, or what to run."""
    run = local(*arguments, stdin=stdin)
    assert run.code in (1, 2)
    assert reason in " ".join(told(run).split())


def test_a_lost_key_is_not_written_over(local: Cli, own_directory: Path) -> None:
    """A store whose key is gone gets no other one."""
    local("secrets", "set", "a", stdin=VALUE)
    (own_directory / ".streamer" / "secrets.key").unlink()
    run = local("secrets", "set", "b", stdin=VALUE)
    assert (run.code, "bring the key back" in " ".join(run.stderr.split())) == (1, True)


@pytest.mark.broker
def test_scopes_are_said_listed_and_taken_away(cli: Cli) -> None:
    """Domains and businesses are added and removed; without any business left nobody may name the secret."""
    run = cli("secrets", "allow", "token", "--domain", "*.Example.com", "--business", "acme", "--json")
    assert run.objects[0]["key"] == "secret:token"
    assert run.objects[0]["record"] == {"domains": ["*.example.com"], "businesses": ["acme"]}
    run = cli("secrets", "allow", "token", "--domain", "a.test", "--json")
    assert run.objects[0]["record"] == {"domains": ["*.example.com", "a.test"], "businesses": ["acme"]}
    assert run.objects[0]["notes"] == ["for tasks of acme alone, as before"]
    assert cli("secrets", "deny", "token", "--domain", "*.example.com", "--json").objects[0]["record"] == {
        "domains": ["a.test"],
        "businesses": ["acme"],
    }
    (row,) = cli("secrets", "ls", "--json").objects
    assert row == {"name": "token", "source": None, "domains": ["a.test"], "businesses": ["acme"]}
    assert "not on this machine" in cli("secrets", "ls").stdout
    wrong = cli("secrets", "deny", "token", "--business", "globex")
    assert (wrong.code, "is not among those that may name it: acme" in wrong.stderr) == (2, True)
    assert cli("secrets", "deny", "token", "--business", "acme", "--json").objects[0]["record"] is None
    refused = cli("secrets", "allow", "token", "--business", "acme")
    assert (refused.code, "--domain is required" in refused.stderr) == (2, True)
    everybody = cli("secrets", "allow", "token", "--domain", "a.test", "--all-businesses", "--json")
    assert everybody.objects[0]["record"] == {"domains": ["a.test"]}
    narrowed = cli("secrets", "allow", "token", "--business", "acme", "--json")
    assert narrowed.objects[0]["record"] == {"domains": ["a.test"], "businesses": ["acme"]}
    assert "until now" in narrowed.objects[0]["notes"][0]
    assert cli("secrets", "deny", "token", "--json").objects[0]["record"] is None
    assert json.loads(cli("secrets", "deny", "token", "--json").stdout)["notes"] == ["nothing was said of it"]
