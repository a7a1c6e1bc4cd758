"""``streamer worker``: runs a worker, or several processes of it, until told to stop."""

from __future__ import annotations

import asyncio
import gc
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
from streamer.adapters.kafka.clients import Unreachable, client_options, cluster_id, reaching
from streamer.adapters.kafka.instance_lock import InstanceTaken
from streamer.adapters.retirement import Retirement, resident_bytes
from streamer.adapters.system import SystemEntropy
from streamer.bootstrap.plan import Groups, Plan
from streamer.bootstrap.secrets import SealingKeys
from streamer.bootstrap.worker import make_worker
from streamer.cli.console import USAGE, JsonFlag, complain, err, fail, given, load_settings, print_json
from streamer.cli.logs import set_up_log
from streamer.cli.open_files import fit_open_files
from streamer.cli.setup import kafka_options, limits_of, topics_of
from streamer.cli.worker_processes import WorkerProcesses
from streamer.settings.load import Loaded
from streamer.settings.model import Settings
from streamer.settings.platform import MIB


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
    max_memory: Annotated[
        str | None, typer.Option(help='Drain and exit 0 when the process holds more than this: "512MiB".')
    ] = None,
    max_age: Annotated[
        str | None, typer.Option(help='Drain and exit 0 at this age, "12h", less up to a tenth by chance.')
    ] = None,
    name: Annotated[str, typer.Option(help="Tells workers of one machine apart; each has its own directory.")] = "0",
    as_json: JsonFlag = False,
) -> None:
    """Run a worker: intake, claim, deliver and hold.

    It refuses to start on topics that are missing or not made as they must be, and says which and what to run.
    SIGTERM or Ctrl-C drains for at most 8 s and exits 0; a second one exits at once. Past --max-memory or --max-age it ends
    as for SIGTERM, and says so; with --processes a successor takes its place, else that is for who started it.
    """
    flags = {
        "worker__processes": processes,
        "worker__instance_id": instance_id,
        "worker__from": from_,
        "worker__max_memory": max_memory,
        "worker__max_age": max_age,
    }
    loaded = load_settings(ctx, **{key: value for key, value in flags.items() if value is not None})
    count = loaded.settings.worker.processes
    if count > 1:
        passed = {"--from": from_, "--max-memory": max_memory, "--max-age": max_age}
        handed = [word for flag, value in passed.items() if value is not None for word in (flag, value)]
        raise typer.Exit(_many(ctx, count, loaded, handed, as_json=as_json))
    raise typer.Exit(uvloop.run(_run(loaded.settings, name, as_json=as_json)))


async def _run(settings: Settings, name: str, *, as_json: bool) -> int:
    set_up_log(settings.log.level, settings.log.format, attempts=settings.log.attempts)
    stop, retirement = _stop_on_signals(), _retirement(settings)
    topics, options = topics_of(settings), client_options(**kafka_options(settings))
    try:
        async with reaching(options):
            await _check(settings, options)
        cluster = await cluster_id(options)
    except Unreachable as error:
        fail(f"{error} (kafka.bootstrap_servers): is it running, and does it take kafka.security.*?")
    settings = fit_open_files(settings)
    try:
        plan = Plan(settings, topics, limits_of(settings), options, cluster, name)
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

    watch = asyncio.create_task(retirement.watch(stop))
    reason = await made.run(stop, ready)
    watch.cancel()
    if reason is not None:
        complain(f"worker {name} ends: {reason}")
        return 1
    if retirement.reason is not None:
        err.print(f"worker {name} ends: {retirement.reason}", markup=False, soft_wrap=True)
    return 0


def _retirement(settings: Settings) -> Retirement:
    """Return what ends this process by its memory or age; a limit that it could not keep is refused."""
    most, age = settings.worker.max_memory, settings.worker.max_age
    if most is not None:
        used = resident_bytes()
        if used is None:
            fail(
                "worker.max_memory cannot be watched here, this system has no /proc/self/statm: leave it empty",
                code=USAGE,
            )
        if used >= most.bytes:
            # It would end as soon as it has begun, and so would each that takes its place.
            fail(
                f"worker.max_memory ({most}) must be more than the {used // MIB} MiB held before the first task",
                code=USAGE,
            )
    return Retirement(
        max_memory_bytes=most.bytes if most is not None else None,
        max_age_ms=age.ms if age is not None else None,
        chance=SystemEntropy().unit(),
    )


async def _check(settings: Settings, options: dict[str, Any]) -> None:
    topics = topics_of(settings)
    bootstrap_servers = settings.kafka.bootstrap_servers
    rest = {key: value for key, value in options.items() if key != "bootstrap_servers"}
    production = settings.mode == "production"
    if problems := await kafka_topics.check(bootstrap_servers, topics.specs(), production=production, **rest):
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


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Apart from the event, which a limit of its own sets too: who asks first while it drains is not the second to ask.
    asked = False

    def on_signal() -> None:
        nonlocal asked
        if asked:
            os._exit(1)
        asked = True
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


def _many(ctx: typer.Context, count: int, loaded: Loaded, flags: list[str], *, as_json: bool) -> int:
    config, own = given(ctx).config, loaded.settings.worker
    base = [sys.executable, "-m", "streamer", *(["--config", str(Path(config))] if config else []), "worker"]
    extra = [*flags, *(["--json"] if as_json else [])]

    def start(number: int) -> subprocess.Popen[bytes]:
        named = ["--processes", "1", "--name", str(number)]
        static = ["--instance-id", f"{own.instance_id}-{number}"] if own.instance_id else []
        return subprocess.Popen([*base, *extra, *named, *static])

    return WorkerProcesses(count, start, renew=own.max_memory is not None or own.max_age is not None).run()


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
