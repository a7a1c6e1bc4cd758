"""No SDK is needed: a line of JSON through kcat is a task."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]

COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


async def test_a_record_produced_by_kcat(scene: Scene) -> None:
    """What kcat appends is delivered, with every compression that it knows."""
    assert shutil.which("kcat"), "kcat is not installed: run `make deps`, or install the package kcat"
    async with scene.ready_worker():
        for compression in COMPRESSIONS:
            await produce(scene, compression)
        ends = await scene.ends(2 * len(COMPRESSIONS))
        arrivals = await scene.arrivals(2 * len(COMPRESSIONS))
    assert {end["state"] for end in ends} == {"succeeded"}
    assert sorted(arrival.path for arrival in arrivals) == sorted([f"/{name}" for name in COMPRESSIONS] * 2)


async def produce(scene: Scene, compression: str) -> None:
    """Append two requests, in one batch of this compression."""
    lines = (json.dumps({"url": scene.url(f"/{compression}"), "body": "x" * 500}) + "\n") * 2
    process = await asyncio.create_subprocess_exec(
        *("kcat", "-P", "-b", scene.place.bootstrap, "-t", scene.place.topics.requests, "-z", compression),
        stdin=asyncio.subprocess.PIPE,
    )
    await process.communicate(lines.encode())
    assert process.returncode == 0
