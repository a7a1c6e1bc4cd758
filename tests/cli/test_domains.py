"""`streamer domains`, `businesses`, `policies` and `rate-keys`: what they write, show and refuse, on the real broker."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from streamer.core.figures import LaneFigures
from streamer.wire.instants import parse_instant
from streamer.wire.lane_record import encode_figures
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker


def shown(cli: Cli, domain: str, *flags: str) -> dict[str, tuple[str, str]]:
    """Return what holds for a domain: field → value and origin."""
    run = cli("domains", "show", domain, "--json", *flags)
    assert run.code == 0, run.stderr
    return {line["field"]: (line["value"], line["origin"]) for line in run.objects[0]["values"]}


def test_limits_are_merged_shown_with_their_origin_and_reset(cli: Cli) -> None:
    """Two commands add to one record; show names who says each value; reset leaves what is said more generally."""
    assert cli("domains", "limit", "*.Example.com", "--rate", "10/s", "--timeout", "5s").code == 0
    first = cli("domains", "limit", "api.example.com", "--concurrency", "4", "--breaker-failures", "9", "--json")
    assert first.objects[0]["record"] == {"concurrency": 4, "breaker": {"failures_in_row": 9}}
    again = cli("domains", "limit", "https://api.example.com/hooks", "--breaker-open", "1m", "--shards", "2", "--json")
    assert again.objects[0]["key"] == "domain:api.example.com"
    assert again.objects[0]["record"] == {
        "concurrency": 4,
        "breaker": {"failures_in_row": 9, "open": "1m"},
        "shards": 2,
    }
    lines = shown(cli, "api.example.com")
    assert lines["rate"] == ("10/s", "domain *.example.com")
    assert lines["concurrency"] == ("4", "domain api.example.com")
    assert lines["shards"][0].startswith("2 (each: 2 at once, 10/2s")
    assert lines["timeout_ms"] == ("5s", "domain *.example.com")
    assert lines["priority"] == ("5", "settings")
    assert "10/s" in cli("domains", "show", "api.example.com").stdout
    unset = cli("domains", "limit", "api.example.com", "--unset", "breaker", "--unset", "shards", "--json")
    assert unset.objects[0]["record"] == {"concurrency": 4}
    listed = cli("domains", "ls", "--json").objects
    assert [(row["name"], row["record"]) for row in listed] == [
        ("*.example.com", {"rate": "10/s", "timeout": "5s"}),
        ("api.example.com", {"concurrency": 4}),
    ]
    assert cli("domains", "reset", "api.example.com").code == 0
    assert shown(cli, "api.example.com")["concurrency"] == ("20", "settings")


def test_headers_are_set_and_shown_without_what_is_secret(cli: Cli) -> None:
    """Each header is a line of `show`; a value that carries a secret is told nowhere, though it is written."""
    words = ("--header", "X-A: 1", "--header", "Authorization: Bearer horse", "--header", "X-Api-Key: ${secret:key}")
    said = cli("domains", "limit", "a.test", *words, "--json")
    masked = {"X-A": "1", "Authorization": "***", "X-Api-Key": "${secret:key}"}
    assert said.objects[0]["record"] == {"headers": masked}
    lines = shown(cli, "a.test")
    assert {name: lines[f"header {name}"][0] for name in masked} == masked
    assert lines["header X-A"][1] == "domain a.test"
    assert "horse" not in cli("domains", "ls").stdout + cli("domains", "ls", "--json").stdout
    assert cli("businesses", "limit", "acme", "--header", "X-A: 2").code == 0
    assert "X-A 2" in " ".join(cli("businesses", "show", "acme").stdout.split())
    assert shown(cli, "a.test", "--business", "acme")["header X-A"] == ("2", "business acme")


REFUSED = (
    (("domains", "limit", "a.test", "--header", "Host: b.test"), "may not set Host: it is made from url"),
    (("policies", "set", "slow", "--header", "X-A"), '--header must be "Name: value"'),
    (("domains", "limit", "a.test", "--rate", "10"), "rate: '10' is no rate"),
    (("domains", "limit", "a b", "--rate", "1/s"), "no domain"),
    (("domains", "limit", "a.test", "--shards", "30"), "shards is 30; at most 4, the partitions, is allowed"),
    (("domains", "limit", "a.test", "--shards", "2", "--rate", "1/s"), "at most 1, the burst"),
    (("domains", "limit", "a.test", "--timeout", "1h"), "timeout_ms is 3600000; at most 120000"),
    (("domains", "limit", "a.test", "--retry-codes", "9xx"), "retry_codes"),
    (("domains", "limit", "a.test", "--unset", "rate"), "it says nothing"),
    (("domains", "pause", "a.test", "--until", "2020-01-01T00:00:00Z"), "is past"),
    (("domains", "pause", "a.test", "--until", "tomorrow"), "RFC 3339"),
    (("domains", "pause", "a.test", "--for", "1 year"), "--for"),
    (("domains", "pause", "a.test", "--for", "1h", "--until", "2099-01-01T00:00:00Z"), "not both"),
    (("domains", "show", "a.test", "--policy", "none"), "nothing is said of policy"),
    (("policies", "set", "a b", "--priority", "1"), "no name of a policy"),
    (("policies", "set", "a", "--max-attempts", "9"), "the intervals make 5 attempts"),
    (("rate-keys", "limit", "orders", "--burst", "5"), "rate is required"),
)


def test_what_is_wrong_is_refused_by_name_and_not_written(cli: Cli) -> None:
    """Exit 2, one line that names the field, and nothing stands on the topic."""
    for words, part in REFUSED:
        run = cli(*words)
        assert run.code == 2, words
        assert part in run.stderr.replace("\n", " ")
    assert cli("domains", "ls", "--json").objects == []


def test_pause_and_resume(cli: Cli) -> None:
    """A pause has an end or none; resume removes it, and says so where a wildcard's pause would still hold."""
    before_ms = time.time_ns() // 1_000_000
    paused = cli("domains", "pause", "api.example.com", "--for", "10m", "--json").objects[0]
    assert 590_000 < parse_instant(paused["record"]["paused"]) - before_ms < 700_000
    assert shown(cli, "api.example.com")["paused"][0] == f"until {paused['record']['paused']}"
    assert cli("domains", "resume", "api.example.com", "--json").objects[0]["record"] is None
    assert cli("domains", "pause", "*.example.com").code == 0
    resumed = cli("domains", "resume", "api.example.com", "--json").objects[0]
    assert resumed["record"] == {"paused": False}
    assert "*.example.com is paused" in resumed["notes"][0]
    assert shown(cli, "api.example.com")["paused"] == ("no", "domain api.example.com")
    assert shown(cli, "other.example.com")["paused"] == ("until resumed", "domain *.example.com")
    everything = cli("domains", "pause", "*")
    assert "api.example.com goes on" in everything.stdout
    assert shown(cli, "a.test")["paused"] == ("until resumed", "default")


def test_businesses_policies_and_rate_keys(cli: Cli, tmp_path: Path) -> None:
    """Each is set, listed, shown and forgotten; a file is the whole record, which flags go over."""
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"v": 1, "retry": {"backoff": {"initial": "2s"}}, "retry_codes": [404], "sign": True}))
    assert cli("businesses", "limit", "acme", "--rate", "100/m", "--weight", "3").code == 0
    assert cli("policies", "set", "slow", "--priority", "9").code == 0
    written = cli("policies", "set", "slow", "--file", str(file), "--max-attempts", "3", "--no-sign", "--json")
    assert written.objects[0]["record"] == {
        "retry": {"backoff": {"initial": "2s"}, "max_attempts": 3},
        "retry_codes": [404],
        "sign": False,
    }
    assert cli("rate-keys", "limit", "orders", "--rate", "5/s").code == 0
    assert [row["name"] for row in cli("rate-keys", "ls", "--json").objects] == ["orders"]
    assert "retry.max_attempts" in cli("policies", "show", "slow").stdout
    assert "rate 100/m, weight 3" in cli("businesses", "ls").stdout
    lines = shown(cli, "a.test", "--business", "acme", "--policy", "slow")
    assert lines["rate of business acme, all domains"] == ("100/m", "business acme")
    assert lines["retry_codes"] == ("404", "policy slow")
    unchanged = cli("businesses", "limit", "acme", "--weight", "3", "--json").objects[0]
    assert (unchanged["at"], unchanged["notes"]) == (None, ["nothing changed"])
    assert cli("policies", "reset", "slow").code == 0
    gone = cli("policies", "show", "slow")
    assert gone.code == 1
    assert "streamer policies ls" in gone.stderr


@pytest.fixture
async def written(kafka: RunningKafka, topics: Topics) -> None:
    """Write figures of a lane and its shard, and records that no worker takes."""
    figures = [
        LaneFigures("a.test", shard, 1, rate_used_per_s=1.5, in_flight=2, queue=3, open_tasks=4, p95_ms=20.0 + shard)
        for shard in (0, 1)
    ]
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
        for shard, each in enumerate(figures):
            await producer.send_and_wait(topics.lanes, encode_figures(each), key=f"a.test#{shard}".encode())
        await producer.send_and_wait(topics.config, b'{"v":1,"concurrency":3}', key=b"domain:b.test")
        await producer.send_and_wait(topics.config, b"nonsense", key=b"domain:b.test")
        await producer.send_and_wait(topics.config, b"nonsense", key=b"domain:c.test")
        await producer.send_and_wait(topics.config, b"{}", key=b"schedule:nightly")


def test_live_figures_and_bad_records(written: None, cli: Cli) -> None:
    """A domain's shards are taken together; a record that is no good is named, with what holds instead."""
    assert [row["name"] for row in cli("domains", "ls", "--json").objects] == ["b.test"]
    listed = cli("domains", "ls", "--all")
    [line] = [line for line in listed.lines if line.startswith("a.test")]
    assert line.split() == ["a.test", "-", "3.0", "4", "6", "8", "closed", "21"]
    assert "domain:b.test: the newest record is refused, what it said before holds" in listed.stderr
    assert "domain:c.test: the newest record is refused, it says nothing" in listed.stderr
    assert len(cli("domains", "show", "a.test", "--json").objects[0]["lanes"]) == 2
    assert cli("domains", "limit", "c.test", "--concurrency", "2").code == 0
    assert "c.test" not in cli("domains", "ls").stderr
