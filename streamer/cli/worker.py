"""``streamer worker``: runs a worker, or several processes of it, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from streamer.adapters.extensions.loader import ExtensionError
from streamer.adapters.http.libraries import LibraryMissing
from streamer.adapters.kafka import positions
from streamer.adapters.kafka import topics as kafka_topics
from streamer.adapters.kafka.clients import client_options, cluster_id
from streamer.adapters.kafka.instance_lock import InstanceTaken
from streamer.adapters.open_files import allow_open_files
from streamer.bootstrap.plan import Groups, Plan
from streamer.bootstrap.secrets import SealingKeys
from streamer.bootstrap.worker import make_worker
from streamer.cli.console import USAGE, JsonFlag, complain, err, fail, given, load_settings, print_json
from streamer.cli.logs import set_up_log
from streamer.cli.setup import kafka_options, limits_of, topics_of
from streamer.settings.load import Loaded
from streamer.settings.model import Settings

log = logging.getLogger(__name__)

_STOP_S = 20.0
#: Open beside calls and idle connections: brokers, claims of the partitions, logs.
_OTHER_FILES = 1_000


def worker(
    ctx: typer.Context,
    processes: Annotated[int | None, typer.Option(help="Worker processes to run side by side.")] = None,
    instance_id: Annotated[str | None, typer.Option(help="Static membership; one name per process.")] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from", help="Where to begin on topics that hold records but were never read: earliest, latest."
        ),
    ] = None,
    name: Annotated[str, typer.Option(help="Tells workers of one machine apart; each has its own directory.")] = "0",
    as_json: JsonFlag = False,
) -> None:
    """Run a worker: intake, claim, deliver and hold.

    It refuses to start on topics that are missing or not made as they must be, and says which and what to run.
    SIGTERM or Ctrl-C drains for at most 8 s and exits 0; a second one exits at once.
    """
    flags = {"worker__processes": processes, "worker__instance_id": instance_id, "worker__from": from_}
    loaded = load_settings(ctx, **{key: value for key, value in flags.items() if value is not None})
    count = loaded.settings.worker.processes
    if count > 1:
        raise typer.Exit(_many(ctx, count, loaded, from_, as_json=as_json))
    raise typer.Exit(uvloop.run(_run(loaded.settings, name, as_json=as_json)))


async def _run(settings: Settings, name: str, *, as_json: bool) -> int:
    set_up_log(settings.log.level, settings.log.format, attempts=settings.log.attempts)
    stop = _stop_on_signals()
    topics, options = topics_of(settings), client_options(**kafka_options(settings))
    await _check(settings, options)
    _allow_open_files(settings)
    try:
        plan = Plan(settings, topics, limits_of(settings), options, await cluster_id(options), name)
        made = make_worker(plan)
    except InstanceTaken as error:
        fail(str(error))
    except (SealingKeys, ExtensionError, LibraryMissing) as error:
        fail(str(error), code=USAGE)

    def ready() -> None:
        _spare_the_collector()
        _share_the_interpreter()
        if as_json:
            print_json({"event": "worker.ready", "pid": os.getpid(), "name": name})
        else:
            err.print(f"worker {name} is ready (pid {os.getpid()})")
        sys.stdout.flush()

    reason = await made.run(stop, ready)
    if reason is not None:
        complain(f"worker {name} ends: {reason}")
        return 1
    return 0


async def _check(settings: Settings, options: dict[str, Any]) -> None:
    topics = topics_of(settings)
    bootstrap_servers = settings.kafka.bootstrap_servers
    rest = {key: value for key, value in options.items() if key != "bootstrap_servers"}
    if problems := await kafka_topics.check(bootstrap_servers, topics.specs(), **rest):
        fail(*(str(problem) for problem in problems))
    if settings.worker.from_ != "none":
        return
    groups = Groups(settings.kafka.group)
    unread = await positions.never_read(
        options,
        {
            groups.intake: [topics.requests],
            groups.deliver: [topics.deliveries, topics.due, topics.control, topics.claims],
            groups.hold: [topics.retry(tier.name) for tier in topics.tiers],
        },
    )
    if unread:
        fail(
            f"{', '.join(unread)}: holds records, and group {settings.kafka.group!r} has never read it. "
            "Start once with --from earliest to deliver them, or --from latest to leave them"
        )


def _allow_open_files(settings: Settings) -> None:
    wanted = settings.worker.max_in_flight + settings.http.idle_total + _OTHER_FILES
    if (allowed := allow_open_files(wanted)) < wanted:
        log.warning(
            "this process may have %s files and sockets open, and may need %s: raise the system's limit (ulimit -n, "
            "LimitNOFILE=), or lower worker.max_in_flight or http.idle_total",
            *(allowed, wanted),
        )


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


def _many(ctx: typer.Context, count: int, loaded: Loaded, from_: str | None, *, as_json: bool) -> int:
    config = given(ctx).config
    base = [sys.executable, "-m", "streamer", *(["--config", str(Path(config))] if config else []), "worker"]
    extra = [*(["--from", from_] if from_ else []), *(["--json"] if as_json else [])]
    instance = loaded.settings.worker.instance_id
    children = []
    for number in range(count):
        named = ["--processes", "1", "--name", str(number)]
        static = ["--instance-id", f"{instance}-{number}"] if instance else []
        children.append(subprocess.Popen([*base, *extra, *named, *static]))
    return _wait(children)


def _wait(children: list[subprocess.Popen[bytes]]) -> int:
    """Pass signals on; when one child ends by itself the others are stopped too, so that a supervisor sees it."""

    def pass_on(number: int, _: Any) -> None:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    codes: list[int] = []
    while len(codes) < len(children):
        pid, status = os.wait()
        codes.append(os.waitstatus_to_exitcode(status))
        for child in children:
            if child.pid == pid:
                child.returncode = codes[-1]
            elif child.returncode is None:
                child.terminate()
    return max((abs(code) for code in codes), default=0)


def _share_the_interpreter() -> None:
    """Let the thread that makes the calls have the interpreter after half a millisecond, not after Python's usual five.

    It needs it for each answer, and a loop that is busy gives it away only when this time is over. The gain that was seen
    is small, and within what runs differ by (docs/performance.md).
    """
    sys.setswitchinterval(0.0005)


def _spare_the_collector() -> None:
    """Keep Python's collector from walking what was imported, some 107,000 objects, again and again.

    While work came in, a full collection stopped the worker for 76-128 ms about once a second; without those that were
    there at the start there was none. With 10,000 domains in turn some 130 objects a task live on until it is settled, and
    to look at them after every 10,000 cost 48 µs a task; after every 50,000, 12 µs.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 10)
