"""The jars of Apache Kafka: pinned by coordinate and SHA-256, fetched once, checked at every start."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from threading import Lock

from streamer.adapters.broker.errors import DownloadCorrupted, DownloadFailed, from_os_error

DOWNLOADS_AT_ONCE = 8
DOWNLOAD_TIMEOUT_S = 30
TRIES = 2

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One jar: its Maven coordinates and the SHA-256 of its bytes, in hex."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The jar's name in the cache."""
        return f"{self.name}-{self.version}.jar"


@cache
def pinned() -> tuple[Artifact, ...]:
    """Return every jar the broker runs on, as listed in `kafka.lock`."""
    text = resources.files(__package__).joinpath("kafka.lock").read_text("utf-8")
    return tuple(_parse(line) for line in text.splitlines() if line and not line.startswith("#"))


def kafka_version() -> str:
    """Return the version of Apache Kafka that the pinned jars make."""
    return next(artifact.version for artifact in pinned() if artifact.name == "kafka_2.13")


def default_cache_dir() -> Path:
    """Return where jars are kept if no directory is given; one per Kafka version."""
    return Path.home() / ".cache" / "streamer" / "kafka" / kafka_version()


def ensure(
    cache_dir: Path,
    artifacts: tuple[Artifact, ...] | None = None,
    *,
    mirror: str | None = None,
    report: Report | None = None,
) -> tuple[Path, ...]:
    """Return the path of every jar, each with the right checksum, fetching what is missing or damaged.

    `mirror` is the base URL of a Maven repository to use instead of the usual one.
    """
    wanted = pinned() if artifacts is None else artifacts
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        bad = [artifact for artifact in wanted if not _is_good(cache_dir / artifact.file_name, artifact)]
        if bad:
            _fetch_all(bad, cache_dir, mirror, report or _say_nothing)
    except OSError as error:
        raise from_os_error(error, cache_dir) from error
    return tuple(cache_dir / artifact.file_name for artifact in wanted)


def _parse(line: str) -> Artifact:
    coordinates, sha256 = line.split()
    group, name, version = coordinates.split(":")
    return Artifact(group, name, version, sha256)


def _say_nothing(message: str) -> None:
    pass


def _fetch_all(bad: list[Artifact], cache_dir: Path, mirror: str | None, report: Report) -> None:
    done = 0
    lock = Lock()

    def fetch(artifact: Artifact) -> None:
        nonlocal done
        _fetch(artifact, cache_dir, mirror)
        with lock:
            done += 1
            report(f"Apache Kafka {kafka_version()}: {done} of {len(bad)} files downloaded")

    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE, thread_name_prefix="kafka-jars") as pool:
        jobs = [pool.submit(fetch, artifact) for artifact in bad]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _fetch(artifact: Artifact, cache_dir: Path, mirror: str | None) -> None:
    """Put one good jar into the cache; the file appears there whole or not at all."""
    target = cache_dir / artifact.file_name
    target.unlink(missing_ok=True)
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(prefix=".part-", dir=cache_dir) as folder:
            jar = _download(artifact, Path(folder), mirror)
            if _is_good(jar, artifact):
                os.replace(jar, target)
                return
    raise DownloadCorrupted(
        f"{artifact.file_name} has the wrong SHA-256 after {TRIES} downloads (wanted {artifact.sha256}): "
        f"something between here and the Maven repository changes it; "
        f"put the right file into {cache_dir}, or name another repository with --mirror"
    )


def _download(artifact: Artifact, folder: Path, mirror: str | None) -> Path:
    # jgo takes 0.2 s to import, and a start from the cache does without.
    from jgo.maven import MavenContext

    remotes = None if mirror is None else {"mirror": mirror.rstrip("/")}
    context = MavenContext(repo_cache=folder, remote_repos=remotes, timeout=DOWNLOAD_TIMEOUT_S)
    component = context.project(artifact.group, artifact.name).at_version(artifact.version)
    try:
        path: Path = component.artifact().resolve()
    except (OSError, RuntimeError) as error:  # what requests raises is an OSError too
        if getattr(error, "errno", None) is not None:
            raise
        raise DownloadFailed(
            f"cannot download {artifact.file_name} ({type(error).__name__}): check the network, "
            f"name a Maven repository with --mirror, or copy the jars of another machine to {folder.parent}"
        ) from error
    return path


def _is_good(path: Path, artifact: Artifact) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    except FileNotFoundError:
        return False
