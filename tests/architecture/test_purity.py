"""The core decides and does nothing else; side doors to the world are few and named."""

from __future__ import annotations

import ast
import re

from tests.architecture.source import modules

# msgspec: values without I/O, made in a tenth of the time of frozen dataclasses (docs/decisions/0014).
PURE = {
    "__future__", "abc", "array", "base64", "binascii", "bisect", "collections", "collections.abc",
    "dataclasses", "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "ipaddress", "itertools",
    "json", "math", "msgspec", "msgspec.structs", "operator", "re", "string", "struct", "types", "typing", "unicodedata",
    "urllib.parse", "zlib",
}  # fmt: skip
IMPURE_BUILTINS = {"open", "print", "input", "exec", "eval", "__import__"}

# Who may look at the environment: the settings, and the search for a Java on this machine.
ENVIRONMENT_READERS = ("streamer/settings", "streamer/adapters/broker/java.py")
ENVIRONMENT = re.compile(r"\bos\.(environ|getenv|environb|putenv|unsetenv)\b|\bimport environ\b|\bgetenv\b")


def test_core_imports_pure_modules_only() -> None:
    """A file of core imports core, msgspec, and pure modules of the standard library."""
    foreign = {
        f"{module.path}: {name}"
        for module in modules("streamer/core")
        for name in module.imports()
        if name not in PURE and not name.startswith("streamer.core")
    }
    assert foreign == set()


def test_core_calls_no_impure_builtin() -> None:
    """A file of core neither opens files, nor prints, nor runs text as code."""
    calls = {
        f"{module.path}:{node.lineno}: {node.func.id}"
        for module in modules("streamer/core")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_BUILTINS
    }
    assert calls == set()


def test_only_settings_read_the_environment() -> None:
    """The environment is read where the source of each value is known, and for Java's place."""
    readers = {
        module.path
        for module in modules("streamer")
        if ENVIRONMENT.search(module.text) and not module.path.startswith(ENVIRONMENT_READERS)
    }
    assert readers == set()


def test_nothing_is_pickled() -> None:
    """No file loads or writes pickles: a pickle runs code of whoever wrote it."""
    picklers = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
    found = {
        f"{module.path}: {name}"
        for folder in ("streamer", "tests", "tools", "bench")
        for module in modules(folder)
        for name in module.imports()
        if name.split(".")[0] in picklers
    }
    assert found == set()
