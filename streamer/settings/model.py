"""All settings, with their defaults: one tree of frozen sections."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamer.settings.delivery import Claims, Http, Limits, Retry, Worker
from streamer.settings.lanes import Lanes
from streamer.settings.platform import Broker, Kafka, Log, Topics
from streamer.settings.redis import Redis
from streamer.settings.secrets import Masking, Sealing, Secrets
from streamer.settings.types import Durations, Names, Section, durations


class Settings(Section):
    """Everything that may be set; `streamer.settings.load` reads it and knows where each value came from."""

    mode: Literal["development", "production"] = Field(
        "development",
        description="production refuses what could lose accepted tasks with a broker, or opens private networks: settings, and "
        "topics with fewer than 3 replicas, min.insync.replicas below 2 or unclean leader election.",
    )
    tiers: Durations = Field(
        durations("5s 10s 30s 1m 2m 5m 10m 30m 1h 2h 6h 12h 1d 7d"),
        description="Delay tiers, a topic each, from short to long.",
    )
    extensions: Names = Field(
        (),
        description="Extensions in use, by the names of their entry points; of several signers, judges or retries the "
        "first is asked first.",
    )
    kafka: Kafka = Kafka()
    topics: Topics = Topics()
    worker: Worker = Worker()
    lanes: Lanes = Lanes()
    retry: Retry = Retry()
    http: Http = Http()
    claims: Claims = Claims()
    limits: Limits = Limits()
    secrets: Secrets = Secrets()
    masking: Masking = Masking()
    sealing: Sealing = Sealing()
    redis: Redis = Redis()
    broker: Broker = Broker()
    log: Log = Log()
