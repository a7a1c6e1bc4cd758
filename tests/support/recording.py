"""What tests tell of themselves to whoever counts: pytest's fixture of this name, and its type."""

from __future__ import annotations

from collections.abc import Callable

#: ``record_property("cases", n)`` says that a test tries so many cases, and not one.
RecordProperty = Callable[[str, object], None]
