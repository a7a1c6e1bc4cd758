"""Jars are fetched once, checked always, and a damaged one never stays; the repository is a server on loopback."""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from streamer.adapters.broker.artifacts import Artifact, default_cache_dir, ensure, kafka_version, pinned
from streamer.adapters.broker.errors import DataDirUnusable, DownloadCorrupted, DownloadFailed

BODIES = {name: f"the bytes of {name}".encode() for name in ("one", "two", "three")}
ARTIFACTS = tuple(
    Artifact("org.example", name, "1.0", hashlib.sha256(body).hexdigest()) for name, body in BODIES.items()
)


@dataclass
class Repository:
    """A Maven repository of three jars. `damaged` counts how many more answers for a name are wrong."""

    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    damaged: Counter[str] = field(default_factory=Counter)

    def answer(self, path: str) -> bytes | None:
        """Return the bytes under a path, None if there are none."""
        name = path.split("/")[-3]
        if not path.endswith(f"/org/example/{name}/1.0/{name}-1.0.jar") or name not in BODIES:
            return None
        self.asked[name] += 1
        if self.damaged[name]:
            self.damaged[name] -= 1
            return b"damaged"
        return BODIES[name]


class Handler(BaseHTTPRequestHandler):
    """Answers from a repository."""

    def __init__(self, repository: Repository, *args: Any) -> None:
        self.repository = repository
        super().__init__(*args)

    def do_GET(self) -> None:
        body = self.repository.answer(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def repository() -> Iterator[Repository]:
    """Serve a repository on a free port."""
    made = Repository()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, made)) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_missing_jars_are_fetched_and_reported(repository: Repository, tmp_path: Path) -> None:
    """An empty cache is filled, in the order asked for, and progress counts up to the whole."""
    said: list[str] = []
    paths = ensure(tmp_path / "cache", ARTIFACTS, mirror=repository.url, report=said.append)
    assert [path.read_bytes() for path in paths] == list(BODIES.values())
    assert [line.split(": ")[1] for line in said] == [f"{n} of 3 files downloaded" for n in (1, 2, 3)]
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {path.name for path in paths}


def test_a_full_cache_asks_nobody(repository: Repository, tmp_path: Path) -> None:
    """The second call makes no request."""
    first = ensure(tmp_path, ARTIFACTS, mirror=repository.url)
    repository.asked.clear()
    assert ensure(tmp_path, ARTIFACTS, mirror=repository.url) == first
    assert repository.asked == {}


def test_a_damaged_file_in_the_cache_is_replaced(repository: Repository, tmp_path: Path) -> None:
    """Only the damaged file is fetched again."""
    paths = ensure(tmp_path, ARTIFACTS, mirror=repository.url)
    paths[1].write_bytes(b"half a j")
    repository.asked.clear()
    ensure(tmp_path, ARTIFACTS, mirror=repository.url)
    assert paths[1].read_bytes() == BODIES["two"]
    assert repository.asked == {"two": 1}


def test_one_damaged_download_is_repeated(repository: Repository, tmp_path: Path) -> None:
    """A download with the wrong checksum is tried once more."""
    repository.damaged["one"] = 1
    (path,) = ensure(tmp_path, ARTIFACTS[:1], mirror=repository.url)
    assert path.read_bytes() == BODIES["one"]
    assert repository.asked == {"one": 2}


def test_two_damaged_downloads_are_an_error(repository: Repository, tmp_path: Path) -> None:
    """The error names the file and the checksum, and nothing damaged is left behind."""
    repository.damaged["one"] = 9
    with pytest.raises(DownloadCorrupted, match=rf"one-1.0.jar .*{ARTIFACTS[0].sha256}.*--mirror"):
        ensure(tmp_path, ARTIFACTS[:1], mirror=repository.url)
    assert repository.asked == {"one": 2}
    assert list(tmp_path.iterdir()) == []


# jgo leaves the connection of a 404 to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_jar_that_is_not_there_is_an_error(repository: Repository, tmp_path: Path) -> None:
    """The error names the file and what can be done."""
    unknown = Artifact("org.example", "four", "1.0", "0" * 64)
    with pytest.raises(DownloadFailed, match=r"cannot download four-1\.0\.jar .*--mirror"):
        ensure(tmp_path, (unknown,), mirror=repository.url)
    gc.collect()


def test_no_repository_is_an_error(tmp_path: Path) -> None:
    """A refused connection is a failed download, not a fault of the directory."""
    with pytest.raises(DownloadFailed, match="ConnectionError"):
        ensure(tmp_path, ARTIFACTS[:1], mirror="http://127.0.0.1:9")


def test_a_cache_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """The error names the directory."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable, match=r"cannot write to .*file/cache"):
        ensure(tmp_path / "file" / "cache", ARTIFACTS[:1])


def test_the_pinned_list_is_whole() -> None:
    """Each jar is pinned once, with a whole SHA-256, and all of Kafka's have one version."""
    assert kafka_version().startswith("4.1.")
    assert default_cache_dir().name == kafka_version()
    assert len({artifact.file_name for artifact in pinned()}) == len(pinned()) > 40
    assert all(len(bytes.fromhex(artifact.sha256)) == 32 for artifact in pinned())
    assert {a.version for a in pinned() if a.group == "org.apache.kafka"} == {kafka_version()}
