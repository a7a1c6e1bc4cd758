"""Settings of delivery: workers, retries, HTTP, claims and limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from streamer.settings.platform import DAY_MS, MIB
from streamer.settings.proxy import OptionalProxy
from streamer.settings.types import (
    Codes,
    Duration,
    DurationField,
    Durations,
    Hosts,
    Networks,
    OptionalByteSize,
    OptionalDuration,
    OptionalRate,
    OptionalText,
    Ports,
    Section,
    durations,
    none_if_empty,
)


class Worker(Section):
    """One worker process, and how much it takes in hand."""

    instance_id: OptionalText = Field(
        None,
        description="Name of static membership, one per process: a restart within the session moves nothing. "
        "Empty: none.",
        pattern=r"^[a-zA-Z0-9._-]{1,100}$",
    )
    max_in_flight: int = Field(
        1_000,
        description="HTTP calls at once in one process; fewer where the system allows too few open files.",
        ge=1,
        le=100_000,
    )
    max_rate: OptionalRate = Field(
        None, description='Calls that one process begins, over all domains: "500/s". Empty: no limit.'
    )
    window_records: int = Field(
        20_000,
        description="Unfinished records per partition, until it is fetched no more.",
        ge=1,
        le=1_000_000,
    )
    window_bytes: int = Field(64 * MIB, description="Bytes of unfinished records per partition.", ge=MIB)
    domain_concurrency: int = Field(20, description="HTTP calls at once for one domain.", ge=1, le=10_000)
    watchdog: DurationField = Field(
        Duration(300_000),
        description="A process that has work and finishes nothing for this long ends itself, while the broker answers; 0s: never.",
    )
    recovery_deadline: DurationField = Field(
        Duration(120_000),
        description="A process whose join or recovery of its tables gets no further for this long ends itself, while the broker "
        "answers, so that the next reads them anew; 0s: never.",
    )
    clock_skew: DurationField = Field(
        Duration(2_000),
        description="How far this machine's clock may be from the broker's: a worker is not ready, and says so, while it is "
        "further off, and does not start when that is more than 60s. 0s: never looked at.",
    )
    max_memory: OptionalByteSize = Field(
        None,
        description='Memory that one process may hold, "512MiB": past it the process drains, as for SIGTERM, and exits 0. Empty: '
        "no limit. Needs /proc/self/statm, so Linux.",
    )
    max_age: OptionalDuration = Field(
        None,
        description='How old a process may get, "12h", less up to a tenth by chance: then it drains and exits 0. Empty: no limit.',
    )
    data_dir: Path = Field(
        Path(".streamer/state"),
        description="Directory of claims and markers; one per machine.",
    )
    processes: int = Field(1, description="Worker processes started together.", ge=1, le=256)
    from_: Literal["none", "earliest", "latest"] = Field(
        "none",
        alias="from",
        description="Where to begin on a topic with records but no committed offset; none refuses to start.",
    )


class Backoff(Section):
    """What a task's `backoff` has where it says nothing."""

    initial: DurationField = Field(Duration(1_000), description="The first wait.")
    multiplier: float = Field(2.0, description="What each wait is multiplied by for the next.", ge=1, le=100)
    max: DurationField = Field(Duration(60_000), description="The longest wait.")
    max_attempts: int = Field(5, description="Attempts, the first included.", ge=1)
    jitter: float = Field(0.1, description="Share of a wait by which it is spread, to both sides.", ge=0, le=1)


class Retry(Section):
    """The policy of tasks that bring none, and the bounds of those that do."""

    intervals: Durations = Field(
        durations("1m 5m 30m 2h"), description="Waits between attempts; an empty list is one attempt."
    )
    backoff: Backoff = Backoff()
    max_retries_cap: int = Field(10, description="The most retries that a task may ask for.", ge=0, le=1_000)
    allow_unlimited: bool = Field(False, description='Whether a task may say `max_attempts: "unlimited"`.')
    retry_codes: Codes = Field(
        (408, 425, 429, "5xx"),
        description='Answers worth another attempt, where a task names no codes itself: a code, "5xx" or "500-504".',
    )


class Http(Section):
    """The calls that go out."""

    client: Literal["pyreqwest", "httpx"] = Field(
        "pyreqwest",
        description="The HTTP library that sends: httpx is for platforms that pyreqwest has no wheel for, and takes several "
        "times the CPU.",
    )
    connect_timeout: DurationField = Field(Duration(10_000), description="For the connection, TLS included.")
    first_byte_timeout: OptionalDuration = Field(
        None,
        description="From a call's beginning, its connection included, to its answer's. Empty: as long as the call may take.",
    )
    read_timeout: OptionalDuration = Field(
        None, description="Between two pieces of an answer's body. Empty: as long as the call may take."
    )
    total_timeout: DurationField = Field(Duration(30_000), description="For the whole call, where a task says nothing.")
    total_timeout_cap: DurationField = Field(Duration(120_000), description="The most that a task may ask for.")
    max_response_bytes: int = Field(
        65_536, description="Bytes of the answer's body that are kept in the result.", ge=0, le=MIB
    )
    allow_private: bool = Field(
        False,
        description="Whether private and loopback addresses may be called; link-local ones, where clouds keep credentials, never.",
    )
    allow_hosts: Hosts = Field(
        (),
        description='Hosts that may be called at every address and port: names, or "*.example.com" for all below one.',
    )
    allow_cidrs: Networks = Field((), description='Private networks that may be called, on every port: "10.1.0.0/16".')
    deny_hosts: Hosts = Field(
        (), description='Hosts that are never called: names, or "*.example.com" for all below one.'
    )
    deny_cidrs: Networks = Field((), description="Networks that are never called, whatever else allows it.")
    ports: Ports = Field((80, 443, 8080, 8443), description="Ports that may be called at public addresses.")
    proxy: OptionalProxy = Field(
        None,
        description='Egress proxy that every call goes through, "http://[USER@]HOST:PORT"; it resolves the names and has to '
        "judge their addresses. Empty: none, whatever the environment says.",
    )
    proxy_password: Annotated[SecretStr | None, BeforeValidator(none_if_empty)] = Field(
        None, description="Password of the proxy; empty: none. Better set by the environment than in a file."
    )
    idle_per_domain: int = Field(
        20,
        description="Idle connections kept open per domain; with fewer than domain_concurrency some are opened anew all the time.",
        ge=0,
        le=1_000,
    )
    idle_total: int = Field(
        100,
        description="Idle connections kept open over all domains; beyond, the domains that were quiet longest lose theirs.",
        ge=0,
        le=100_000,
    )
    keep_alive: DurationField = Field(Duration(90_000), description="How long an idle connection is kept open.")
    clients_max: int = Field(1_024, description="Domains whose connections are kept ready.", ge=1, le=100_000)
    user_agent: str = Field("Streamer/0.1", description="The User-Agent header.", min_length=1, max_length=200)


class Claims(Section):
    """Memory of ids and business ids."""

    unique_for: DurationField = Field(Duration(7 * DAY_MS), description="How long an id belongs to its first task.")
    per_business_cap: int = Field(1_000_000, description="Claims held for one business.", ge=1)


class Limits(Section):
    """What a request may weigh."""

    body_bytes: int = Field(MIB, description="Bytes of a request's body.", ge=0)
