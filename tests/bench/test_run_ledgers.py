"""A run that is judged again from its files has the same verdict, and what was written survives a cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import RecordMetadata
from msgspec.structs import replace as changed

from bench.kept_ledgers import KeptLedgers, kept_ledgers
from bench.ledger_file import LedgerFile, read_lines
from bench.ledgers import Accepted, Results
from bench.oracle import Anomaly, judge
from bench.oracle_report import main, rows
from bench.oracle_values import Asked, Bound, Commit, Evidence, LaneSaid, Limit, ProcessEvent, Standing
from bench.run_ledgers import ARRIVALS, COMMITS, Ledgers, Terms
from bench.samples import deliveries, results
from streamer.adapters.demo.exchange import OK, Arrival
from streamer.core.delivery import Delivery
from streamer.core.figures import LaneFigures
from streamer.core.lifecycle import State
from streamer.wire.lane_record import encode_figures
from streamer.wire.result_record import encode_result
from streamer.wire.topics import Topics
from tests.support.arrival_log import ArrivalLog
from tests.support.offset_watch import OffsetWatch

TOPICS = Topics("t.", 4, ())
AT_MS = 1_700_000_000_000
CANARY = "whsec_c2VjcmV0IGNhbmFyeQ"
TERMS = Terms(
    readers={TOPICS.requests: "intake", TOPICS.deliveries: "deliver"},
    limits=[Limit("a.example", 5.0, 2)],
    marks={"red": ["red-token"], "blue": ["blue-token"]},
    canaries={"key": CANARY},
    bound=Bound(20, 100.0, 0.5),
)


@dataclass(frozen=True, slots=True)
class Record:
    """As much of a consumed record as the ledgers ask for."""

    topic: str
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int = 1
    offset: int = 0
    timestamp: int = AT_MS + 20


def metadata(offset: int) -> RecordMetadata:
    """Return where a request stands."""
    tp = TopicPartition(TOPICS.requests, 1)
    return RecordMetadata(tp.topic, tp.partition, tp, offset, AT_MS, 0, 0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return the directory of a good run of one task that is delayed and succeeds at once."""
    TERMS.write(tmp_path)
    with kept_ledgers(tmp_path, TOPICS) as ledgers:
        _keep(ledgers)
    return tmp_path


def _keep(ledgers: KeptLedgers) -> None:
    accepted, told = Accepted("cluster", keep=ledgers.accepted), Results(TOPICS.partitions, keep=ledgers.result)
    accepted.add(metadata(0), "own-1", delay_ms=30, business="red")
    (result,) = results(1)
    headers = (("User-Agent", "worker-w0"),)
    assert result.exchange is not None
    exchange = changed(result.exchange, started_at_ms=AT_MS + 30, sent_headers=headers)
    end = changed(
        result,
        task_id="own-1",
        business="red",
        state=State.SUCCEEDED,
        at_ms=AT_MS + 60,
        exchange=exchange,
        delivery=_own(),
    )
    told.take(Record(TOPICS.results, encode_result(end)))
    ledgers.take(Record(TOPICS.deliveries, b"{}", (("task", b"own-1"),)))
    ledgers.take(Record(TOPICS.control, b'{"task_id": "own-1"}', offset=5))
    ledgers.take(Record(TOPICS.control, b'{"kind": "lane_signal"}', offset=6))
    ledgers.take(
        Record(
            TOPICS.lanes, encode_figures(LaneFigures("a.example", 2, AT_MS, breaker="open", open_until_ms=AT_MS + 9))
        )
    )
    ledgers.take(Record(TOPICS.lanes, None, offset=1))
    watch = OffsetWatch(ledgers.sample)
    tp = TopicPartition(TOPICS.requests, 1)
    for committed in (0, 0, 1, 1):
        watch.note("intake", {tp: committed})
    ledgers.process("w0", "signalled", "KILL")


def _own() -> Delivery:
    (delivery,) = deliveries(1)
    return changed(delivery, task_id="own-1", business="red")


async def arrived(directory: Path, head: str, at_ms: int = AT_MS + 35) -> None:
    """Log a call of the task."""
    with ArrivalLog(directory / ARRIVALS, heads=True) as log:
        common = "Host: a.example\r\nX-Streamer-Task: own-1\r\nX-Streamer-Attempt: 1\r\nX-Streamer-Business: red\r\n"
        log.add(Arrival("POST", "/", f"POST / HTTP/1.1\r\n{common}{head}\r\n".encode(), b"", 1, at_ms, 1), OK)


async def test_what_was_written_is_read_back(directory: Path) -> None:
    """Each ledger comes back as what the oracle judges; samples that changed nothing and signals are not in them."""
    await arrived(directory, "")
    ledgers = Ledgers.read(directory)
    evidence = ledgers.evidence
    assert ledgers.accepted == ["own-1"]
    assert evidence.asked == [Asked("own-1", AT_MS + 30, "red")]
    assert evidence.standing == [
        Standing("own-1", TOPICS.requests, 1, 0, AT_MS),
        Standing("own-1", TOPICS.deliveries, 1, 0, AT_MS + 20),
        Standing("own-1", TOPICS.control, 1, 5, AT_MS + 20),
    ]
    (commit,) = evidence.commits
    assert commit == Commit(commit.at_ms, "intake", TOPICS.requests, 1, 1)
    assert evidence.lanes == [LaneSaid("a.example#2", AT_MS, "open", AT_MS + 9)]
    (killed,) = evidence.processes
    assert killed == ProcessEvent(killed.at_ms, "w0", "signalled", "KILL")
    assert (evidence.readers, evidence.limits, evidence.bound) == (TERMS.readers, TERMS.limits, TERMS.bound)
    (told,) = ledgers.told
    assert (told.attempt, told.state, told.started_ms, told.business) == (1, "succeeded", AT_MS + 30, "red")


async def test_a_finished_run_is_judged_again(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good one is clean and ends with 0; the same verdict comes from values and from files."""
    await arrived(directory, "Authorization: red-token\r\n")
    ledgers = Ledgers.read(directory)
    verdict = ledgers.judged()
    assert verdict.stories == []
    assert verdict.judged == set(Anomaly)
    assert verdict == judge(ledgers.accepted, ledgers.calls, ledgers.told, ledgers.waiting, ledgers.evidence)
    with pytest.raises(SystemExit, match="0"):
        main([str(directory)])
    said = capsys.readouterr().out
    assert "clean\n" in said
    assert "not judged" not in said


@pytest.mark.parametrize(
    ("spoiled", "kind"),
    [
        ("early", Anomaly.EARLY),
        ("token", Anomaly.CROSS_TENANT),
        ("log", Anomaly.SECRET_LEAK),
        ("offset", Anomaly.OFFSET_REGRESS),
        ("lost", Anomaly.LOST),
        ("unseen", Anomaly.UNSEEN),
    ],
)
async def test_what_is_planted_in_the_files_is_found(
    directory: Path, capsys: pytest.CaptureFixture[str], spoiled: str, kind: Anomaly
) -> None:
    """The command names it, and ends with 1; of a secret only the name is said."""
    await arrived(
        directory, "Cookie: blue-token\r\n" if spoiled == "token" else "", AT_MS + 35 - 6 * (spoiled == "early")
    )
    with kept_ledgers(directory, TOPICS) as ledgers:
        if spoiled in ("lost", "unseen"):
            Accepted("cluster", keep=ledgers.accepted).add(metadata(1), "own-2")
            ledgers.waiting({"own-2"} if spoiled == "unseen" else ())
    if spoiled == "log":
        (directory / "worker-w0.err").write_text(f"all is well\nno answer to {CANARY}\n")
    if spoiled == "offset":
        (sample,) = read_lines(directory / COMMITS)
        with LedgerFile(directory / COMMITS) as file:
            file.add(sample | {"at_ms": sample["at_ms"] + 1, "offset": 0})
    with pytest.raises(SystemExit, match="1"):
        main([str(directory)])
    said = capsys.readouterr().out
    assert f"\n{kind}: " in said
    assert "NOT CLEAN" in said
    assert CANARY not in said


def test_a_directory_without_ledgers_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No files are no clean run: the command says what it looked for."""
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path)])
    assert "holds no accepted.jsonl" in capsys.readouterr().err


def test_what_was_not_looked_at_is_not_called_clean() -> None:
    """A kind without evidence is not judged, and its row says so."""
    verdict = judge(["x"], [], [], (), Evidence())
    assert dict(rows(verdict))["rate-breach"] == "not judged"
    assert dict(rows(replace(verdict, judged=frozenset(Anomaly))))["rate-breach"] == 0


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return a ledger of two lines."""
    with LedgerFile(tmp_path / "ledger") as file:
        file.add({"number": 1}, at_once=True)
        file.add({"number": 2})
    return tmp_path / "ledger"


def test_a_ledger_outlasts_a_cut(ledger: Path) -> None:
    """What a writer's death cut off is left out, whole lines stay, and who comes after goes on behind them."""
    assert [line["number"] for line in read_lines(ledger)] == [1, 2]
    with LedgerFile(ledger) as file:
        file.add({"number": 3})
    ledger.write_bytes(ledger.read_bytes()[:-3])
    assert [line["number"] for line in read_lines(ledger)] == [1, 2]
    assert list(read_lines(ledger.with_name("none"))) == []
