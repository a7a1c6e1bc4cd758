"""Secrets are planted wherever one can stand, every target repeats all it hears, and they are found nowhere else."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streamer.adapters.demo.exchange import Answer, Arrival
from streamer.adapters.demo.server import Server
from streamer.adapters.secrets.key_ring import KeyRing
from streamer.adapters.secrets.store import StoredSecrets
from streamer.core.lane_key import lane_key
from tests.support.installation import Installation
from tests.support.scene import Scene
from tests.support.waiting import until
from tests.support.worker import worker_process

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

#: Values of secrets: on the wire and in their source, and nowhere else.
ENV, FILE, STORE = "canary-env-7c1f", "canary/file+9d2e=", "canary-store-3b8a"
PASSWORD = "canary-password-5e6d"
SIGNING = "whsec_Y2FuYXJ5LXNpZ25pbmcta2V5LW9mLTI0LWI="
SECRETS = (ENV, FILE, STORE, PASSWORD, SIGNING)
#: What a producer wrote into its own record: it stands where the request stands, and nowhere else.
HEADER, QUERY, CARD = "canary-header-1a2b", "canary-query-4c5d", "canary-card-6e7f"
OWN = (HEADER, QUERY, CARD)
#: In a record that is refused: it stands in that record, and in the dead letter that keeps its bytes.
USER = "canary-user-8f9a"

#: Topics whose records are requests, or have one whole: a replay carries it on `control`.
CARRIERS = ("requests", "claims", "deliveries", "due", "retry-", "control")


def echo(arrival: Arrival) -> Answer:
    """Say all that was heard, in several ways; fail where the path says so."""
    heard = [f"{name}: {value}" for name, value in arrival.headers]
    body = {
        "path": arrival.path,
        "headers": heard,
        "head": base64.b64encode(arrival.head).decode(),
        "body": json.loads(arrival.body or b"null"),
    }
    headers = [(f"X-Echo-{number}", line.replace("\n", " ")) for number, line in enumerate(heard)]
    location = [("Location", f"https://next.test{arrival.path}")]
    status = 500 if arrival.path.startswith("/fail") else 200
    return Answer(status, (*headers, *location), json.dumps(body).encode())


class Echo:
    """A receiver that repeats everything, and keeps what it heard."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.failing = True
        self.server = Server(self._respond)

    async def wait_for(self, count: int) -> None:
        """Return once there were so many calls."""
        await until(lambda: len(self.arrivals) >= count, 20)

    def _respond(self, arrival: Arrival) -> Answer:
        self.arrivals.append(arrival)
        answer = echo(arrival)
        return answer if self.failing else Answer(200, answer.headers, answer.body)


@asynccontextmanager
async def running_echo() -> AsyncIterator[Echo]:
    """Run it in this loop."""
    made = Echo()
    await made.server.start()
    try:
        yield made
    finally:
        await made.server.stop()


def plant(place: Installation) -> Path:
    """Put secrets into a directory and a store, and return the directory that both are in."""
    home = place.directory / "sources"
    (home / "files").mkdir(parents=True)
    (home / "files" / "file").write_text(FILE + "\n")
    (home / "files" / "signing").write_text(SIGNING)
    keys = KeyRing(home / "key")
    keys.begin(home / "key")
    store = StoredSecrets(home / "store.json", keys)
    store.put("store", STORE.encode())
    store.put("password", PASSWORD.encode())
    place.write_settings(
        secrets__directory=str(home / "files"),
        secrets__store=str(home / "store.json"),
        secrets__key_file=str(home / "key"),
        masking__fields="card",
        log__level="debug",
        log__attempts=True,
    )
    return home


def forms(text: str) -> set[bytes]:
    """Return how a value may be written."""
    raw = text.encode()
    middle = [base64.b64encode(bytes(shift) + raw)[4:-4] for shift in range(3)]
    return {raw, quote(raw, safe="").encode(), raw.hex().encode(), json.dumps(text)[1:-1].encode(), *middle}


def found_in(content: bytes, texts: tuple[str, ...]) -> list[str]:
    """Return which of the values stand in a content."""
    return [text for text in texts if any(form in content for form in forms(text))]


async def records(place: Installation) -> list[tuple[str, bytes]]:
    """Return every record of every topic, whole: its key, its headers and its value."""
    consumer = AIOKafkaConsumer(bootstrap_servers=place.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50)
    await consumer.start()
    try:
        tps = [TopicPartition(spec.name, number) for spec in place.topics.specs() for number in range(spec.partitions)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        found: list[tuple[str, bytes]] = []
        while any([await consumer.position(tp) < ends[tp] for tp in tps]):
            for tp, batch in (await consumer.getmany(timeout_ms=200)).items():
                for record in batch:
                    headers = b"\n".join(name.encode() + b": " + value for name, value in record.headers)
                    found.append((tp.topic, b"\n".join((record.key or b"", headers, record.value or b""))))
        return found
    finally:
        await consumer.stop()


def without_request(topic: str, content: bytes) -> bytes:
    """Return a record without the request that it has to carry."""
    if topic.endswith("dead-letter"):
        letter = json.loads(content.rpartition(b"\n")[2])
        rest = {name: value for name, value in letter.items() if name not in ("delivery", "value_base64")}
        return json.dumps(rest).encode()
    carries = any(topic.rpartition(".")[2].startswith(name) for name in CARRIERS)
    return b"" if carries else content


def leaks_in_topics(found: list[tuple[str, bytes]]) -> Iterator[str]:
    """Yield where a value stands that should not."""
    for topic, content in found:
        for text in (*found_in(content, SECRETS), *found_in(without_request(topic, content), (*OWN, USER))):
            yield f"{text} in {topic}: {content[:2000]!r}"


async def test_planted_secrets_are_found_nowhere(place: Installation, scene: Scene) -> None:
    """Calls have them all; topics, logs, files, command lines and the output of commands have none."""
    home = plant(place)
    async with (
        running_echo() as target,
        worker_process(place, env={"STREAMER_SECRET_ENV": ENV, "STREAMER_LOG__LEVEL": "debug"}) as worker,
    ):
        await worker.ready()
        base = target.server.url
        lane = lane_key(base)
        for name in ("env", "file", "store"):
            await scene.configure(f"secret:{name}", {"domains": [lane]})
        auth = {"type": "basic", "user": "me", "secret": "password"}
        await scene.configure(f"domain:{lane}", {"auth": auth, "signing": [{"secret": "signing"}]})
        await until_config_is_read(scene, base, target)
        request = {
            "headers": {"X-Key": "${secret:env}", "X-Two": "a ${secret:store}", "X-Api-Key": HEADER},
            "json": {"card": CARD, "n": 1},
            "sign": True,
            "retry": {"intervals": ["1s"]},
        }
        query = f"?k=${{secret:file}}&token={QUERY}"
        count = len(target.arrivals)
        await scene.requests([{"url": f"{base}{path}{query}", **request} for path in ("/ok", "/fail")])
        await scene.requests([{"url": f"http://me:{USER}@127.0.0.1/", "json": {}}])
        letters_read = await scene.letters.until(lambda letters: len(letters) >= 2)
        task_id = next(letter.task_id for letter in letters_read if letter.task_id is not None)
        await target.wait_for(count + 3)

        target.failing = False
        replayed = await place.run("dead-letters", "replay", "--yes", "--json")
        await target.wait_for(count + 4)
        await scene.results.until(lambda results: any(r["generation"] == 2 and r["final"] for r in results))
        calls = target.arrivals[count:]
        command_line = command_line_of(worker.pid)
        runs = [await place.run(*command, "--json") for command in commands(lane, task_id)]

    for call in calls:
        assert call.header("X-Key") == ENV
        assert call.header("X-Two") == f"a {STORE}"
        assert call.header("X-Api-Key") == HEADER
        assert f"?k={quote(FILE, safe='')}&token={QUERY}" in call.path
        assert call.header("Authorization") == "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
        assert (call.header("webhook-signature") or "").startswith("v1,")
        assert json.loads(call.body)["card"] == CARD
    assert len(calls) == 4
    assert replayed.code == 0, replayed.err

    everything = await records(place)
    written = {topic.removeprefix(place.prefix) for topic, _ in everything}
    assert written >= {"requests", "deliveries", "results", "dead-letter", "control", "tasks-changelog"}
    assert list(leaks_in_topics(everything)) == []
    assert any(found_in(content, (CARD,)) for _, content in everything)
    answers = [result["body"] for result in scene.results.items if "body" in result]
    assert answers
    assert all('"X-Key: ***"' in answer and '"card":"***"' in answer for answer in answers if "X-Key" in answer)
    logs = b"\n".join([worker.stdout.read_bytes(), worker.stderr.read_bytes(), command_line])
    assert logs.count(f"attempt task_id={task_id} ".encode()) == 3
    assert found_in(logs, (*SECRETS, *OWN, USER)) == []
    for run in runs:
        assert run.code == 0, run.err
        assert found_in(run.out.encode() + run.err.encode(), (*SECRETS, *OWN, USER)) == [], run.out
    files = [path for path in place.directory.rglob("*") if path.is_file() and home / "files" not in path.parents]
    assert {path.name for path in files} >= {"store.json", "key", "streamer.toml"}
    assert [(path, text) for path in files for text in found_in(path.read_bytes(), (*SECRETS, *OWN, USER))] == []


def commands(lane: str, task_id: str) -> list[tuple[str, ...]]:
    """Return commands that look at what was written, some of them at a request with its body."""
    looks = [("results",), ("secrets", "ls"), ("domains", "show", lane)]
    return [*looks, ("tasks", "show", task_id), ("dead-letters", "show", task_id)]


def command_line_of(pid: int) -> bytes:
    """Return what every user of the machine may see of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


async def until_config_is_read(scene: Scene, base: str, target: Echo) -> None:
    """Wait until a call has the domain's credentials: then the worker knows all that was written before."""
    for _ in range(100):
        before = len(target.arrivals)
        await scene.requests([{"url": f"{base}/first", "json": {}}])
        await target.wait_for(before + 1)
        if target.arrivals[-1].header("Authorization") is not None:
            return
    raise AssertionError("the worker does not learn what was written on config")
