"""`streamer send`: what lands on the topic, which ids are printed, and what is refused, on the real broker."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from streamer.adapters.kafka.clients import client_options, cluster_id
from streamer.adapters.kafka.log_reader import LogRecord
from streamer.core.identity import business_task_id, derived_task_id
from streamer.core.ladder import Tier
from streamer.wire.topics import Topics
from tests.cli.conftest import Cli, Run, environment, runs
from tests.cli.records import read
from tests.support.broker import RunningKafka

pytestmark = pytest.mark.broker

URL = "https://example.com/hook"


def requests(kafka: RunningKafka, topics: Topics) -> list[LogRecord]:
    """Return what stands on the topic, in the order of partitions and offsets."""
    return read(kafka.bootstrap, topics.requests)


def test_flags_make_a_record(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """Every flag becomes a field of the request, and the given id is printed with the coordinates."""
    run = cli(
        "send", URL, "--method", "put", "--header", "X-A: 1", "--header", "X-A: 2", "--json-body", '{"n": 1}',
        "--id", "a:1", "--delay", "1h", "--priority", "2", "--intervals", "1m,5m", "--timeout", "10s",
        "--metadata", "team=red",
    )  # fmt: skip
    assert (run.code, run.stderr) == (0, "")
    (record,) = requests(kafka, topics)
    assert run.lines == [f"a:1  {topics.requests} {record.partition}:{record.offset}"]
    assert json.loads(record.value or b"") == {
        "url": URL,
        "method": "PUT",
        "headers": [["X-A", "1"], ["X-A", "2"]],
        "json": {"n": 1},
        "id": "a:1",
        "delay": "1h",
        "priority": 2,
        "retry": {"intervals": ["1m", "5m"]},
        "timeout_ms": 10_000,
        "metadata": {"team": "red"},
    }


def test_ids_are_those_of_the_tasks(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """Without an id it is derived from the record's coordinates and timestamp, with a business id from that."""
    (plain,) = cli("send", URL, "--form", "a=1", "--form", "a=2", "--json").objects
    (record,) = requests(kafka, topics)
    cluster = asyncio.run(cluster_id(client_options(kafka.bootstrap)))
    coordinates = record.partition, record.offset, record.timestamp_ms
    assert plain["id"] == derived_task_id(cluster, topics.requests, *coordinates)
    assert (plain["partition"], plain["offset"], plain["timestamp_ms"]) == coordinates
    assert json.loads(record.value or b"")["form"] == {"a": ["1", "2"]}
    (named,) = cli("send", URL, "--business", "acme", "--business-id", "order 7", "--json").objects
    assert named["id"] == business_task_id("acme", "order 7")


def test_files_make_a_multipart_body(cli: Cli, kafka: RunningKafka, topics: Topics, own_directory: Path) -> None:
    """Fields come first, a file keeps its name unless it is given another, and the type is what is said."""
    (own_directory / "a;b.pdf").write_bytes(b"\xff\x00")
    (own_directory / "note").write_text("x")
    words = ("--form", "n=1", "--form", "n=2", "--form-file", "doc=a;b.pdf;type=text/csv; charset=utf-8")
    run = cli("send", URL, *words, "--form-file", "more=note;filename=n.txt", "--form", "m=;type=3")
    assert (run.code, run.stderr) == (0, "")
    (record,) = requests(kafka, topics)
    assert json.loads(record.value or b"") == {
        "url": URL,
        "multipart": [
            {"name": "n", "body": "1"},
            {"name": "n", "body": "2"},
            {"name": "m", "body": ";type=3"},
            {"name": "doc", "filename": "a;b.pdf", "content_type": "text/csv; charset=utf-8", "body_base64": "/wA="},
            {"name": "more", "filename": "n.txt", "body_base64": "eA=="},
        ],
    }


def test_files_that_are_too_large_are_named(own_directory: Path) -> None:
    """The message says which file, how large, and what is allowed; nothing asks for Kafka before."""
    (own_directory / "small").write_bytes(bytes(700))
    (own_directory / "large").write_bytes(bytes(1025))
    send = runs({"STREAMER_LIMITS__BODY_BYTES": "1024"})
    for files, words in (
        (("large",), "--form-file large: it has 1025 bytes; a body may have 1024 (limits.body_bytes)"),
        (("small", "small"), "--form-file small: it has 700 bytes, beside 700 of the files before it; a body may have"),
        (("absent",), "--form-file absent: cannot be read: No such file"),
        (("",), "--form-file must be NAME=PATH"),
    ):
        run = send("send", URL, *[word for path in files for word in ("--form-file", f"f={path}")])
        assert (run.code, run.stdout) == (2, "")
        assert words in run.stderr.replace("\n", " ")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "give a URL, or JSON lines"),
        ((URL, "--header", "nothing"), 2, '--header must be "Name: value"'),
        ((URL, "--json-body", "{"), 2, "--json-body is no JSON"),
        ((URL, "--json-body", "null"), 2, "--json-body must not be null"),
        ((URL, "--timeout", "10"), 2, "--timeout: '10' is no duration"),
        ((URL, "--priority", "11"), 1, "priority must be a whole number from 1"),
        ((URL, "--body", "a", "--form", "b=c"), 1, "one of body, json, form, body_base64, multipart is allowed"),
        (("example.com",), 1, "url must begin with http:// or https://"),
        (("--file", "absent.jsonl"), 1, "--file absent.jsonl: cannot be read: No such file"),
    ],
)
def test_refusals(
    cli: Cli, kafka: RunningKafka, topics: Topics, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """What intake would refuse is not sent, and the message names the field or flag."""
    run = cli("send", *arguments)
    assert run.code == code
    assert words in run.stderr.replace("\n", " ")
    assert run.stdout == ""
    assert requests(kafka, topics) == []


def test_lines_from_stdin(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """Good lines are sent, bad ones told by number, field and reason; blank ones count, the last needs no end."""
    lines = [
        json.dumps({"url": URL, "id": "one"}),
        "",
        json.dumps({"url": URL, "metod": "GET"}),
        "{",
        json.dumps({"url": URL, "id": "five"}),
    ]
    run = cli("send", "--file", "-", stdin="\n".join(lines))
    assert run.code == 1
    assert [line.split()[0] for line in run.lines] == ["one", "five"]
    assert "line 3: metod is no field of a request: did you mean method?" in run.stderr
    assert "line 4: the record is no JSON" in run.stderr
    assert run.stderr.endswith("sent 2, refused 2\n")
    assert {json.loads(record.value or b"")["id"] for record in requests(kafka, topics)} == {"one", "five"}


def test_no_check_sends_what_would_be_refused(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """A record that intake will refuse has no id; the exit code is 0, since that is what was asked for."""
    run = cli("send", "--file", "-", "--no-check", "--json", stdin='{"nothing": 1}\n')
    assert run.code == 0
    (shown,) = run.objects
    assert (shown["line"], shown["id"]) == (1, None)
    assert [record.value for record in requests(kafka, topics)] == [b'{"nothing": 1}']


def test_many_lines_from_a_file(cli: Cli, kafka: RunningKafka, topics: Topics, own_directory: Path) -> None:
    """Each of 5,000 lines is acknowledged, on all partitions, and told with an id of its own."""
    count = 5_000
    path = own_directory / "many.jsonl"
    path.write_text("".join(json.dumps({"url": URL, "json": n}) + "\n" for n in range(count)))
    run = cli("send", "--file", str(path), "--json")
    assert run.code == 0
    shown = run.objects
    assert [row["line"] for row in shown] == list(range(1, count + 1))
    assert len({row["id"] for row in shown}) == count
    found = requests(kafka, topics)
    assert len(found) == count
    assert {(row["partition"], row["offset"]) for row in shown} == {(r.partition, r.offset) for r in found}
    assert {record.partition for record in found} == set(range(topics.partitions))


def test_a_line_that_is_too_long(cli: Cli, kafka: RunningKafka, topics: Topics) -> None:
    """A line beyond the topic's limit is refused whole, whatever the flags, and the lines after it are sent."""
    long = json.dumps({"url": URL, "body": "x" * (5 * 1024 * 1024)})
    run = cli("send", "--file", "-", "--no-check", "--json", stdin=f"{long}\n" + json.dumps({"url": URL, "id": "b"}))
    assert run.code == 1
    refused, sent = run.objects
    assert (refused["line"], "too long" in refused["refused"]["reason"]) == (1, True)
    assert (sent["line"], sent["id"]) == (2, "b")
    assert len(requests(kafka, topics)) == 1


def test_without_topics(own_directory: Path, kafka: RunningKafka, topic_prefix: str) -> None:
    """A missing topic is named with the command that makes it, and is not made by the way."""
    absent = Topics(topic_prefix, 4, (Tier("1s", 1_000),))
    run: Run = runs(environment(kafka.bootstrap, absent))("send", URL)
    assert run.code == 1
    assert f"topic {absent.requests} is missing: run `streamer topics create`" in run.stderr.replace("\n", " ")
