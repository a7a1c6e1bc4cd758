"""`streamer config`: what it prints, writes and refuses, and with which exit code."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

import streamer
from streamer.cli.app import app
from streamer.settings.example import example_toml
from streamer.settings.fields import fields

runner = CliRunner()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty directory, without settings from the developer's own environment."""
    for name in [name for name in os.environ if name.startswith("STREAMER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_version() -> None:
    """`--version` needs no command."""
    result = runner.invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"streamer {streamer.__version__}\n")


def test_show_lists_every_setting_with_its_source(here: Path) -> None:
    """One line per setting: key, value, source; not folded when it goes into a pipe."""
    (here / "streamer.toml").write_text("[topics]\npartitions = 3\n")
    result = runner.invoke(app, ["config", "show"], env={"STREAMER_HTTP__ALLOW_PRIVATE": "yes"})
    assert result.exit_code == 0
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert set(lines) == {"key", *fields()}
    assert lines["topics.partitions"] == ["3", "streamer.toml"]
    assert lines["http.allow_private"] == ["true", "env", "STREAMER_HTTP__ALLOW_PRIVATE"]
    assert lines["tiers"][-2:] == ["7d", "default"]


def test_show_as_json_masks_secrets(here: Path) -> None:
    """Programs get the same, and no password."""
    result = runner.invoke(app, ["config", "show", "--json"], env={"STREAMER_KAFKA__SECURITY__PASSWORD": "horse"})
    assert result.exit_code == 0
    shown = {item["key"]: item for item in json.loads(result.stdout)}
    assert shown["kafka.security.password"] == {
        "key": "kafka.security.password",
        "value": "********",
        "source": "env STREAMER_KAFKA__SECURITY__PASSWORD",
    }
    assert shown["topics.partitions"]["value"] == 12
    assert "horse" not in result.output


def test_settings_that_cannot_be_used_end_a_command_as_wrong_usage(here: Path) -> None:
    """Exit code 2, and each problem on stderr."""
    result = runner.invoke(app, ["--config", "absent.toml", "config", "show"], env={"STREAMER_TIERS": "2s 1s"})
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "error: absent.toml: cannot be read: No such file or directory",
        "error: tiers must grow: 1s stands after 2s",
    ]


def test_init_writes_the_example(here: Path) -> None:
    """The file is the example, and can be used as it is."""
    assert runner.invoke(app, ["config", "init"]).exit_code == 0
    assert (here / "streamer.toml").read_text() == example_toml()
    assert runner.invoke(app, ["config", "check"]).stdout == "streamer.toml: ok\n"


def test_init_does_not_overwrite_unless_forced(here: Path) -> None:
    """A file that someone wrote stays, until --force."""
    mine = here / "mine.toml"
    mine.write_text("[topics]\npartitions = 3\n")
    refused = runner.invoke(app, ["config", "init", "mine.toml"])
    assert refused.exit_code == 1
    assert "mine.toml exists: overwrite it with --force" in refused.stderr
    assert mine.read_text() == "[topics]\npartitions = 3\n"
    assert runner.invoke(app, ["config", "init", "mine.toml", "--force"]).exit_code == 0
    assert mine.read_text() == example_toml()


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [("a.yaml", 2, "must end in .toml"), ("absent/a.toml", 1, "cannot be written: No such file")],
)
def test_init_refuses_what_it_cannot_write(here: Path, path: str, code: int, words: str) -> None:
    """The message names the path and the reason."""
    result = runner.invoke(app, ["config", "init", path])
    assert result.exit_code == code
    assert words in result.stderr


def test_check_lists_every_problem(here: Path) -> None:
    """Exit code 1, a line for each problem; markup in a value is only text."""
    (here / "bad.toml").write_text('tiers = ["[red]"]\n[topics]\npartitons = 3\n')
    result = runner.invoke(app, ["config", "check", "bad.toml"])
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 2
    assert "'[red]' is no duration" in result.stderr
    assert "topics.partitons (bad.toml) is no setting; did you mean topics.partitions?" in result.stderr


@pytest.mark.parametrize(
    ("text", "ok", "problems"), [("", True, 0), ("[topics]\npartitions = 0\nreplication = 0\n", False, 2)]
)
def test_check_as_json(here: Path, text: str, ok: bool, problems: int) -> None:
    """Programs get the verdict and the problems, and the same exit code."""
    (here / "a.toml").write_text(text)
    result = runner.invoke(app, ["--config", "a.toml", "config", "check", "--json"])
    verdict = json.loads(result.stdout)
    assert (verdict["file"], verdict["ok"], len(verdict["problems"])) == ("a.toml", ok, problems)
    assert result.exit_code == (0 if ok else 1)


def test_check_without_a_file(here: Path) -> None:
    """Defaults and environment alone can be checked too."""
    assert runner.invoke(app, ["config", "check"]).stdout == "no file, only defaults and environment: ok\n"
