"""Both HTTP libraries, for tests that hold for either."""

from __future__ import annotations

import pytest

from streamer.adapters.http.libraries import LIBRARIES, library_of

PYREQWEST, HTTPX = (library_of(name) for name in LIBRARIES)

#: Runs a test by each library: its fixture ``library`` is the one, and all that is made of it calls by that.
both_libraries = pytest.mark.parametrize("library", LIBRARIES, indirect=True)
