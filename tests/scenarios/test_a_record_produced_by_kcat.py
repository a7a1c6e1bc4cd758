"""No SDK is needed: a line of JSON through kcat is a task."""

from __future__ import annotations

import asyncio
import json
import shutil

import pytest

from tests.support.scene import Scene

pytestmark = [pytest.mark.broker, pytest.mark.scenario]


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
async def test_a_record_produced_by_kcat(scene: Scene, compression: str) -> None:
    """What kcat appends, compressed or not, is delivered."""
    kcat = shutil.which("kcat")
    assert kcat, "kcat is not installed: run `make deps`, or install the package kcat"
    lines = "".join(json.dumps({"url": scene.url(f"/{number}")}) + "\n" for number in range(3))
    async with scene.ready_worker():
        process = await asyncio.create_subprocess_exec(
            *(kcat, "-P", "-b", scene.place.bootstrap, "-t", scene.place.topics.requests, "-z", compression),
            stdin=asyncio.subprocess.PIPE,
        )
        await process.communicate(lines.encode())
        assert process.returncode == 0
        ends = await scene.ends(3)
        arrivals = await scene.arrivals(3)
    assert [end["state"] for end in ends] == ["succeeded"] * 3
    assert sorted(arrival.path for arrival in arrivals) == ["/0", "/1", "/2"]
