"""What every test has: the embedded broker's fixtures, an order that leaves no process idle, and repeatable hypothesis."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

pytest_plugins = ["tests.support.broker"] if find_spec("tests.support.broker") else []

# A broker lives for minutes here. What Java's second compiler gains it only after those; until then it takes two
# thirds of the broker's CPU, and a start lasts twice as long.
os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")

# What a script starts in the background ignores Ctrl-C, and hands that on to all that it starts: commands under test, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A build machine must give the same verdict twice; a developer's machine should find what nobody found yet.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None)
# For `make check`: a fifth of the examples; `make test` tries them all.
settings.register_profile("fast", deadline=None, max_examples=20)
settings.register_profile("many", deadline=None, max_examples=10_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

#: Marks of tests whose connections close by themselves only when the garbage is collected.
CONNECTED = ("broker", "redis")
#: Marks of tests that take long, the longest first.
LONGEST = ("scenario", "slow", "broker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first: at the end, a story that waits would keep one process to itself."""
    items.sort(key=lambda item: next((at for at, mark in enumerate(LONGEST) if _marked(item, mark)), len(LONGEST)))


def pytest_collection_finish() -> None:
    """Take all that is imported out of later collections: there are hundreds, and each would look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect what a test with connections has left: one that is left open is the fault of the test that opened it.

    Set up before all others, this ends after the test's event loop has ended. Not after each of thousands of tests: a
    collection takes a tenth of a second and more.
    """
    yield
    if any(_marked(request.node, mark) for mark in CONNECTED):
        gc.collect()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Take no coverage of tests that go the same ways thousands of times.

    To count lines makes these up to four times as slow, and a line that only they reach wants an example of its own.
    """
    counting = sys.gettrace()
    if counting is None or not _repeats(item):
        return (yield)
    # pytest-cov's own mark stops the inner of two measurements, and the one that each subprocess begins goes on.
    sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(counting)


def _repeats(item: pytest.Item) -> bool:
    return _marked(item, "slow") or is_hypothesis_test(getattr(item, "obj", None)) or "simulation" in item.path.parts


def _marked(item: pytest.Item, mark: str) -> bool:
    return item.get_closest_marker(mark) is not None
