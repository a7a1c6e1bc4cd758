"""Loading: who wins, where each value came from, and what is refused with which words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamer.settings.load import Loaded, SettingsError, load

SECRET = "correct horse"


def written(directory: Path, text: str, name: str = "streamer.toml") -> Path:
    """Write a settings file and return its path."""
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def loaded(
    file: Path | None = None,
    *,
    environ: dict[str, str] | None = None,
    flags: dict[str, Any] | None = None,
    directory: Path = Path("/nonexistent"),
) -> Loaded:
    """Load with nothing of this machine: no environment, no file that happens to be here."""
    return load(file, environ=environ or {}, flags=flags, directory=directory)


def refused(*args: Any, **kwargs: Any) -> list[str]:
    """Return the problems of a load that must fail."""
    with pytest.raises(SettingsError) as error:
        loaded(*args, **kwargs)
    assert str(error.value) == "\n".join(error.value.problems)
    return error.value.problems


def test_without_sources_all_is_default() -> None:
    """No file is needed."""
    found = loaded()
    assert found.settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert found.source("kafka.bootstrap_servers") == "default"
    assert found.file is None


def test_default_file_environment_flag(tmp_path: Path) -> None:
    """Each source wins over the one before, and each value says which source it is from."""
    path = written(tmp_path, '[kafka]\nprefix = "f."\ngroup = "f"\nbootstrap_servers = "f:1"\n')
    found = loaded(
        path,
        environ={"STREAMER_KAFKA__GROUP": "e", "STREAMER_KAFKA__BOOTSTRAP_SERVERS": "e:1", "HOME": "/"},
        flags={"kafka.bootstrap_servers": "x:1", "kafka.linger_ms": None},
    )
    kafka = found.settings.kafka
    assert (kafka.prefix, kafka.group, kafka.bootstrap_servers, kafka.linger_ms) == ("f.", "e", "x:1", 0)
    assert found.source("kafka.prefix") == str(path)
    assert found.source("kafka.group") == "env STREAMER_KAFKA__GROUP"
    assert found.source("kafka.bootstrap_servers") == "flag"
    assert found.source("kafka.linger_ms") == "default"


def test_yaml_says_the_same_as_toml(tmp_path: Path) -> None:
    """Both forms give equal settings, nested tables and lists included."""
    toml = written(
        tmp_path,
        'tiers = ["1s", "2m"]\n[topics]\npartitions = 3\n[topics.retention]\nresults = "1d"\n'
        '[worker]\nfrom = "latest"\n',
    )
    yaml = written(
        tmp_path,
        "tiers: [1s, 2m]\ntopics:\n  partitions: 3\n  retention: {results: 1d}\nworker: {from: latest}\nhttp:\n",
        "streamer.yaml",
    )
    assert loaded(toml).settings == loaded(yaml).settings
    assert loaded(toml).settings.worker.from_ == "latest"


@pytest.mark.parametrize("text", ["1s 5s 1m", "1s,5s,1m", " 1s, 5s,  1m ", '["1s", "5s", "1m"]'])
def test_a_list_in_the_environment(text: str) -> None:
    """A list is written with blanks, with commas or as JSON."""
    found = loaded(environ={"STREAMER_TIERS": text})
    assert [tier.ms for tier in found.settings.tiers] == [1_000, 5_000, 60_000]


def test_an_empty_list_in_the_environment() -> None:
    """An empty text is an empty list: `intervals` without waits means one attempt."""
    assert loaded(environ={"STREAMER_RETRY__INTERVALS": ""}).settings.retry.intervals == ()


def test_typed_values_from_the_environment() -> None:
    """Numbers, switches, codes and networks are read from text."""
    found = loaded(
        environ={
            "STREAMER_TOPICS__PARTITIONS": "3",
            "STREAMER_HTTP__ALLOW_PRIVATE": "true",
            "STREAMER_RETRY__RETRY_CODES": "500-504 429",
            "STREAMER_HTTP__ALLOW_CIDRS": "10.1.2.3/16",
            "STREAMER_KAFKA__COMMIT_INTERVAL_S": "0.25",
        }
    ).settings
    assert (found.topics.partitions, found.http.allow_private) == (3, True)
    assert found.retry.retry_codes == ("500-504", 429)
    assert found.http.allow_cidrs == ("10.1.0.0/16",)
    assert found.kafka.commit_interval_s == 0.25


def test_empty_text_is_none(tmp_path: Path) -> None:
    """TOML has no null, so an empty text means that there is no value."""
    path = written(tmp_path, '[worker]\ninstance_id = ""\n[kafka.security]\npassword = ""\ncafile = ""\n')
    settings = loaded(path).settings
    assert settings.worker.instance_id is None
    assert settings.kafka.security.password is None
    assert settings.kafka.security.cafile is None


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("[kafka]\nprefx = 1\n", "kafka.prefx ({}) is no setting; did you mean kafka.prefix?"),
        ("[kafak]\nprefix = 1\n", "kafak ({}) is no setting; did you mean kafka?"),
        ("connect_timeout = 1\n", "connect_timeout ({}) is no setting; did you mean http.connect_timeout?"),
        ("zzz = 1\n", "zzz ({}) is no setting; `streamer config show` lists all"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path, text: str, near: str) -> None:
    """A typo in a file is not ignored: it would leave the default in force."""
    path = written(tmp_path, text)
    assert refused(path) == [near.format(path)]


def test_an_unknown_variable_is_refused_with_the_nearest() -> None:
    """A typo in the environment is not ignored either; other programs' variables are none of ours."""
    assert refused(environ={"STREAMER_KAFKA_PREFIX": "x", "PATH": "/bin"}) == [
        "STREAMER_KAFKA_PREFIX (environment) is no setting; did you mean STREAMER_KAFKA__PREFIX?"
    ]


def test_an_unknown_flag_is_refused() -> None:
    """A command that passes a flag for no setting is caught by its first test."""
    assert refused(flags={"kafka.prefx": "x"}) == ["kafka.prefx (flag) is no setting; did you mean kafka.prefix?"]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """One run shows all that is to be repaired, each with its key and source."""
    path = written(
        tmp_path,
        'kafka = 1\nnope = 2\n[topics]\npartitions = 0\n[http]\nconnect_timeout = 30\nallow_cidrs = ["x"]\n',
    )
    problems = refused(path, environ={"STREAMER_TIERS": "5s soon"})
    assert len(problems) == 6
    text = "\n".join(problems)
    assert f"kafka ({path}) is a section, not a value" in text
    assert f"nope ({path}) is no setting" in text
    assert f"topics.partitions ({path}): Input should be greater than or equal to 1" in text
    assert f'http.connect_timeout ({path}): 30 has no unit: write for example "30s"' in text
    assert f"http.allow_cidrs ({path}): 'x' does not appear to be" in text
    assert "tiers (env STREAMER_TIERS): 'soon' is no duration" in text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"tiers": "5s 5s"}, "tiers must grow: 5s stands after 5s"),
        ({"tiers": "10s 5s"}, "tiers must grow"),
        ({"tiers": "500ms 5s"}, "tiers: 500ms is too short"),
        ({"kafka.drain_deadline_s": 10}, "kafka.drain_deadline_s (10) must be less than"),
        ({"kafka.heartbeat_interval_s": 3.5}, "kafka.heartbeat_interval_s (3.5) must be at most a third"),
        ({"kafka.security.protocol": "SASL_SSL"}, "needs kafka.security.user and kafka.security.password"),
        ({"worker.window_records": 999}, "worker.max_in_flight (1000) must be at most worker.window_records"),
        ({"worker.domain_concurrency": 1_001}, "worker.domain_concurrency (1001) must be at most"),
        ({"worker.window_bytes": 2**20}, "worker.window_bytes (1048576) must be at least"),
        (
            {"retry.intervals": "1s " * 11},
            "retry.intervals has 11 waits, more than retry.max_retries_cap (10)",
        ),
        ({"tiers": ""}, "tiers must be 1 to 32, and are 0"),
        ({"retry.backoff.max_attempts": 12}, "retry.backoff.max_attempts (12) is more than one and"),
        (
            {"retry.backoff.initial": "2m"},
            "retry.backoff.initial (2m) must be at most retry.backoff.max (1m)",
        ),
        ({"http.connect_timeout": "31s"}, "http.connect_timeout (31s) must be at most http.total_timeout"),
        ({"http.total_timeout": "3m"}, "http.total_timeout (3m) must be at most http.total_timeout_cap (2m)"),
        ({"http.connect_timeout": "0s"}, "http.connect_timeout must be more than 0s"),
        ({"http.first_byte_timeout": "0s"}, "http.first_byte_timeout must be more than 0s"),
        (
            {"http.first_byte_timeout": "10s"},
            "http.first_byte_timeout (10s) must be more than http.connect_timeout (10s)",
        ),
        ({"worker.max_age": "0s"}, "worker.max_age must be more than 0s, or empty"),
        ({"http.read_timeout": "0s"}, "http.read_timeout must be more than 0s"),
        ({"limits.body_bytes": 4 * 2**20}, "topics.max_message_bytes (4194304) must be at least"),
        ({"topics.retention.results": "0s"}, "topics.retention.results must be more than 0s"),
        ({"topics.retention.control": "29d"}, "topics.retention.control (29d) must be at least"),
        ({"topics.retention.dead_letter": "31d"}, "topics.retention.dead_letter (31d)"),
    ],
)
def test_contradictions_are_refused(flags: dict[str, Any], words: str) -> None:
    """Settings that defeat each other are refused before anything starts, both named."""
    problems = refused(flags=flags)
    assert len(problems) == 1
    assert words in problems[0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", "kafka = = 1", "at line 1"),
        ("a.yaml", "kafka: [\n", "is no YAML: "),
        ("a.yaml", "- 1\n", "holds no settings"),
        ("a.yaml", "\x00", "is no YAML"),
        ("a.json", "{}", "a settings file ends in .toml, .yaml or .yml"),
    ],
)
def test_a_file_that_cannot_be_parsed(tmp_path: Path, name: str, text: str, words: str) -> None:
    """The problem names the file and, where there is one, the place."""
    path = written(tmp_path, text, name)
    (problem,) = refused(path)
    assert problem.startswith(f"{path}: ")
    assert words in problem.lower() or words in problem


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that was named must exist; an absent default file is fine."""
    path = tmp_path / "absent.toml"
    assert refused(path) == [f"{path}: cannot be read: No such file or directory"]


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are refused with the file's name."""
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xff\xfe")
    assert refused(path) == [f"{path}: is not UTF-8 text"]


def test_the_file_of_the_directory_is_found(tmp_path: Path) -> None:
    """Without a name, ./streamer.toml or ./streamer.yaml is taken."""
    path = written(tmp_path, "topics: {partitions: 5}\n", "streamer.yaml")
    found = loaded(directory=tmp_path)
    assert (found.settings.topics.partitions, found.file) == (5, path)


def test_two_files_in_the_directory_are_refused(tmp_path: Path) -> None:
    """Which of two would win is nothing to guess about."""
    written(tmp_path, "")
    written(tmp_path, "", "streamer.yaml")
    assert refused(directory=tmp_path) == [
        "streamer.toml and streamer.yaml are both here: keep one, or name one with --config"
    ]


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    """STREAMER_CONFIG names the file, and --config comes before it."""
    by_environment = written(tmp_path, "[topics]\npartitions = 5\n", "e.toml")
    by_flag = written(tmp_path, "[topics]\npartitions = 6\n", "f.toml")
    environ = {"STREAMER_CONFIG": str(by_environment)}
    assert loaded(environ=environ).settings.topics.partitions == 5
    assert loaded(by_flag, environ=environ).settings.topics.partitions == 6


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", f'[kafka.security]\npassword = ["{SECRET}"]\n'),
        ("a.toml", f'[kafka.security]\npasswort = "{SECRET}"\n'),
        ("a.toml", f'[kafka]\nsecurity = "{SECRET}"\n'),
        ("a.toml", f'[kafka.security]\npassword = "{SECRET}\n'),
        ("a.yaml", f'kafka: {{security: {{password: "{SECRET}\n'),
        ("a.yaml", f"kafka:\n  security:\n    password: @{SECRET}\n"),
    ],
)
def test_no_problem_quotes_a_secret(tmp_path: Path, name: str, text: str) -> None:
    """A password in the wrong form or place is refused and not repeated."""
    assert SECRET not in "\n".join(refused(written(tmp_path, text, name)))
