"""Signing keys are rotated three times while calls go out: receivers with either key take every call of the overlap."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamer.adapters.demo.exchange import Arrival
from streamer.adapters.http.signing_keys import new_secret
from streamer.adapters.http.verification import verify
from streamer.core.lane_key import lane_key
from streamer.wire.instants import parse_instant
from tests.support.receiver import Receiver, running_receiver
from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

ROTATIONS = 3
OVERLAP = "4s"
#: Calls under way at any time, and calls that must come after an overlap has ended.
OUTSTANDING, AFTERWARDS = 20, 50


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation: the secrets before and after, and when the older one ends."""

    old: str
    new: str
    end_ms: int


async def test_keys_are_rotated_under_load(scene: Scene) -> None:
    """E2: within each overlap old and new key verify all calls, after it the old one verifies none."""
    keys = scene.place.directory / "secrets"
    keys.mkdir()
    scene.place.write_settings(secrets__directory=str(keys), worker__domain_concurrency=OUTSTANDING)
    async with running_receiver() as receiver, scene.ready_worker():
        secrets = [_key(keys, number) for number in range(ROTATIONS + 1)]
        await _sign(scene, receiver, 0)
        async with _load(scene, receiver):
            await _until_signed_by(receiver, secrets[0])
            rotations = []
            for number in range(ROTATIONS):
                old, new = secrets[number : number + 2]
                end_ms = await _sign(scene, receiver, number + 1)
                rotations.append(Rotation(old, new, end_ms))
                await _until_ended(receiver, end_ms)
    for rotation in rotations:
        _check(receiver.arrivals, rotation)
    signed = [arrival for arrival in receiver.arrivals if arrival.header("webhook-signature") is not None]
    assert all(any(_valid(arrival, secret) for secret in secrets) for arrival in signed)


def _check(arrivals: list[Arrival], rotation: Rotation) -> None:
    """Check one overlap, from the first call with the new key on, and what came after it."""
    begun = next(at for at, arrival in enumerate(arrivals) if _valid(arrival, rotation.new))
    overlapping = [arrival for arrival in arrivals[begun:] if arrival.at_ms < rotation.end_ms]
    # The second that the end is in has calls of both kinds; timestamps are whole seconds.
    after = [arrival for arrival in arrivals[begun:] if _timestamp_ms(arrival) >= rotation.end_ms]
    assert len(overlapping) >= AFTERWARDS, "the overlap was over before calls were signed by both keys"
    assert [_valid(arrival, rotation.old) for arrival in overlapping] == [True] * len(overlapping)
    # Calls that were being signed when the first with the new key came may arrive behind it.
    late = [arrival for arrival in overlapping[OUTSTANDING:] if not _valid(arrival, rotation.new)]
    assert late == []
    assert len(after) >= AFTERWARDS
    assert [arrival for arrival in after if _valid(arrival, rotation.old)] == []


def _key(directory: Path, number: int) -> str:
    """Write a key where the worker reads its secrets; every other one is a pair."""
    secret = new_secret(ed25519=number % 2 == 1)
    (directory / f"hooks-{number}").write_text(f"{secret}\n")
    return secret


async def _sign(scene: Scene, receiver: Receiver, number: int) -> int:
    """Sign with a key from now on, and return when the one before it ends."""
    words = ("domains", "sign", lane_key(receiver.url), "--secret", f"hooks-{number}", "--overlap", OVERLAP, "--json")
    run = await scene.place.run(*words)
    assert run.code == 0, run.err
    older = run.objects[0]["record"]["signing"][1:]
    return parse_instant(older[0]["until"]) if older else 0


@asynccontextmanager
async def _load(scene: Scene, receiver: Receiver) -> AsyncIterator[None]:
    """Keep calls under way: a new request for each that arrives."""
    chance = random.Random(3)

    async def produce() -> None:
        asked = 0
        while True:
            batch = len(receiver.arrivals) + OUTSTANDING - asked
            await scene.requests({"url": receiver.url, "body": str(chance.random())} for _ in range(batch))
            asked += batch
            await receiver.wait_for(asked - OUTSTANDING + 1, within_s=20)

    task = asyncio.create_task(produce())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until_signed_by(receiver: Receiver, secret: str) -> None:
    async with asyncio.timeout(20):
        while not (receiver.arrivals and _valid(receiver.arrivals[-1], secret)):
            await receiver.wait_for(len(receiver.arrivals) + 1)


async def _until_ended(receiver: Receiver, end_ms: int) -> None:
    """Wait until enough calls have come that were signed after a key's end."""
    async with asyncio.timeout(30):
        while sum(_timestamp_ms(arrival) >= end_ms for arrival in receiver.arrivals[-AFTERWARDS:]) < AFTERWARDS:
            await receiver.wait_for(len(receiver.arrivals) + 1)


def _valid(arrival: Arrival, secret: str) -> bool:
    headers = {name.lower(): value for name, value in arrival.headers}
    return verify([secret.encode()], headers, arrival.body, arrival.at_ms // 1000) is None


def _timestamp_ms(arrival: Arrival) -> int:
    return int(arrival.header("webhook-timestamp") or 0) * 1000
