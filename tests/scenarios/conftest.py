"""What every story has: an installation of its own on the session's broker, and the stage around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.broker import RunningKafka
from tests.support.installation import Installation, installed
from tests.support.scene import Scene, make_scene


@pytest.fixture
async def place(kafka: RunningKafka, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """Make an installation with short tiers, and delete its topics afterwards."""
    async with installed(Installation(kafka.bootstrap, topic_prefix, tmp_path)) as made:
        yield made


@pytest.fixture
async def scene(place: Installation) -> AsyncIterator[Scene]:
    """Set the stage, with no worker yet."""
    async with make_scene(place) as made:
        yield made
