"""The documents say what the code says, and lead where they say they lead."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from streamer.cli.app import app
from tests.architecture.source import ROOT
from tools.docs import documents, opened, renewed
from tools.docs_parts import PARTS, table
from tools.docs_rules import CODE, RULES, TESTS, mentions, numbers

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PATH = re.compile(r"`((?:streamer|tests|tools|docs)/[\w./*-]+)`")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)

DOCUMENTS = documents()


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_generated_parts_are_what_the_code_says(path: Path) -> None:
    """A list in the code and its table in the documents are one; `python -m tools.docs --write` renews the table."""
    text = path.read_text(encoding="utf-8")
    assert text == renewed(text), "run: python -m tools.docs --write"


def test_every_part_stands_in_one_document_and_is_closed() -> None:
    """A part that stands nowhere documents nothing, and one that is not closed is never renewed."""
    texts = [path.read_text(encoding="utf-8") for path in DOCUMENTS]
    names = [name for text in texts for name in opened(text)]
    assert sorted(names) == sorted(PARTS)
    assert all(f"<!-- end of {name} -->" in text for text in texts for name in opened(text))


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    """A relative link names a file that is there, and its anchor a heading of it."""
    text = _without_code(path.read_text(encoding="utf-8"))
    assert [link for link in _LINK.findall(text) if "://" not in link and not _leads(path, link)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_named_files_exist(path: Path) -> None:
    """A file or folder that a document names from the root is there; `*` stands for any of them."""
    named = _PATH.findall(path.read_text(encoding="utf-8"))
    assert [name for name in named if not list(ROOT.glob(name.rstrip("/")))] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=_name)
def test_commands_are_known(path: Path) -> None:
    """Each `streamer` command in a document's shell examples exists, with every flag that the example gives it."""
    unknown = [line for line in _commands(path.read_text(encoding="utf-8")) if (line, _unknown(line))[1]]
    assert unknown == []


def test_an_unknown_command_or_flag_is_found() -> None:
    """The search for wrong examples finds them."""
    text = "```sh\nstreamer send --nonsense\nstreamer results --follow | head -5\n```\n"
    assert [_unknown(line) for line in _commands(text)] == ["--nonsense", ""]


def test_every_word_of_make_is_known() -> None:
    """A `make` word that a document gives stands in the Makefile."""
    words = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word
        for path in DOCUMENTS
        for word in re.findall(r"^make ([a-z]+)|`make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {first or second for first, second in named} <= words


def test_rules_that_are_named_exist() -> None:
    """No file names a rule beyond the table, and a test that the table names is there."""
    named = {*mentions(CODE), *mentions(TESTS)}
    assert named <= set(range(1, len(RULES) + 1))
    assert [path for rule in RULES for path in rule.tests if not (ROOT / path).is_file()] == []


def test_a_rule_is_kept_in_one_of_three_ways() -> None:
    """What is kept of a rule is said in the same first words everywhere."""
    assert {rule.kept for rule in RULES if not rule.kept.startswith(("in", "part: ", "not yet"))} == set()


def test_mentions_are_read_in_lists_and_ranges() -> None:
    """The code names rules one by one, in lists and in ranges."""
    # Put together here, or this file would seem to prove these rules.
    text = "({0} 3, 10, 15) and {0} 4; {0} 17-19".format("RULES")
    assert numbers(text) == {3, 4, 10, 15, 17, 18, 19}


def test_a_bar_does_not_break_a_table() -> None:
    """A cell with a bar stays one cell."""
    assert table(("a", "b"), [("x|y", 1)]).endswith("| x\\|y | 1 |")


def _leads(path: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    if not target.exists():
        return False
    return not anchor or anchor in {_anchor(heading) for heading in _HEADING.findall(target.read_text("utf-8"))}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def _commands(text: str) -> Iterator[str]:
    """Yield the `streamer` commands of a text's shell examples, without what stands before and behind them."""
    for language, block in _FENCE.findall(text):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                for piece in re.split(r"\||&&|;|#", line):
                    if piece.strip().startswith("streamer "):
                        yield piece.strip()


@cache
def _program() -> Any:
    return typer.main.get_command(app)


def _unknown(line: str) -> str:
    """Return the first word of a command line that the program does not know, or nothing."""
    command = _program()
    words = shlex.split(line)[1:]
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return words[0]
        command = command.commands[words.pop(0)]
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    return next((word for word in words if word.startswith("-") and word != "-" and word not in known), "")
