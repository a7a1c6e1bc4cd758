"""What every test has: the embedded broker's fixtures, and hypothesis profiles that repeat in CI."""

from __future__ import annotations

import os
from importlib.util import find_spec

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.broker"] if find_spec("tests.support.broker") else []

# A build machine must give the same verdict twice; a developer's machine should find what nobody found yet.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None)
# For `make check`: a fifth of the examples; `make test` tries them all.
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))
