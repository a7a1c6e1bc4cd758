"""What every test has: the embedded broker's fixtures, and hypothesis profiles that repeat in CI."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

#: Tests with servers of their own. One process runs them all, one after the other, and another the rest meanwhile: stories
#: that are told in seconds must not stand in each other's way.
_WITH_SERVERS = ("broker", "scenario", "redis")

pytest_plugins = ["tests.support.broker"] if find_spec("tests.support.broker") else []

# A build machine must give the same verdict twice; a developer's machine should find what nobody found yet.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None)
# For `make check`: a fifth of the examples; `make test` tries them all.
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests with servers together, where tests run in several processes."""
    for item in items:
        if any(item.get_closest_marker(name) for name in _WITH_SERVERS):
            item.add_marker(pytest.mark.xdist_group("servers"))
