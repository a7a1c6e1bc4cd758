"""D1 where every address answers, clouds' metadata services and all private networks among them: nobody is called."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.every_address import ROUTES
from tests.support.recording import RecordProperty

ROOT = Path(__file__).parents[3]
#: As root, or as a user who may make a namespace of users too.
NAMESPACE = ("unshare", "--map-root-user", "--net", "sh", "-c")


def namespace_is_missing() -> str | None:
    """Return why such a namespace cannot be made on this machine, or None where it can."""
    try:
        made = subprocess.run([*NAMESPACE, ROUTES], capture_output=True, text=True, timeout=30, check=False)
    except OSError as error:
        return str(error)
    return made.stderr.strip() or "no such namespace" if made.returncode else None


async def test_no_way_inside_reaches_any_address(record_property: RecordProperty) -> None:
    """With real addresses and real ports: of the ways inside none makes a connection, and each legal URL makes one."""
    if (why := await asyncio.to_thread(namespace_is_missing)) is not None:
        pytest.skip(f"needs a network namespace of its own: {why}")
    child = await asyncio.create_subprocess_exec(
        *(*NAMESPACE, f"{ROUTES} && exec {sys.executable} -m tests.support.every_address"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        said, _ = await child.communicate()
    assert child.returncode == 0
    found = json.loads(said)
    record_property("cases", found["refused"] + found["legal"])
    record_property("traps", 1)
    record_property("trap_hits", len(found["hits"]))
    assert found["hits"] == []
    assert found["reached"] == found["legal"]
