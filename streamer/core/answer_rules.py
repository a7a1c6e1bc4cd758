"""Which of the rules on answers fits an answer's kept body, and how a rule reads to people.

Must not know what follows from a rule that fits, nor where rules are written. Invariant: the body is parsed once at most,
and only when a rule that could fit looks into it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from streamer.core.outcome import Response
from streamer.core.send_policy import AnswerRule

#: Indexes of arrays as RFC 6901 §4 writes them: no leading zero. More digits than these no kept body has.
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)
#: A tilde begins an escape of two characters (RFC 6901 §3); alone it means nothing.
_BAD_ESCAPE = re.compile(r"~(?![01])")


class _Nothing:
    """What stands where a document or a field is not there; null is a value."""


_ABSENT, _UNREAD = _Nothing(), _Nothing()


def fitting(rules: Sequence[AnswerRule], answer: Response) -> int | None:
    """Return the number, from 1, of the first rule that fits; None where none does.

    A body that is still packed fits none. One that is no JSON, or was cut, fits no rule on a field; and that a cut body
    lacks a text nobody can say.
    """
    if answer.unpacked is False:
        return None
    document: Any = _UNREAD
    for number, rule in enumerate(rules, 1):
        if not _of_status(rule, answer.status):
            continue
        if rule.pointer is None:
            if _fits_text(rule, answer):
                return number
            continue
        if document is _UNREAD:
            document = _parsed(answer)
        if document is not _ABSENT and _fits_field(rule, rule.pointer, document):
            return number
    return None


def check_pointer(pointer: str) -> None:
    """Refuse a text that is no JSON pointer; ValueError says why."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f'{pointer[:60]!r} is no JSON pointer: it must be empty or begin with "/"')
    if _BAD_ESCAPE.search(pointer):
        raise ValueError(f'{pointer[:60]!r} is no JSON pointer: write "~" as "~0", and "/" within a name as "~1"')


def describe(rule: AnswerRule) -> str:
    """Write a rule for people."""
    where = f" (answers {', '.join(rule.codes.text)})" if rule.codes is not None else ""
    if rule.pointer is None:
        return f"{rule.then} when the body {'lacks' if rule.negate else 'contains'} {_quoted(rule.text)}{where}"
    field = f"{rule.pointer} of the JSON" if rule.pointer else "the JSON"
    if not rule.values:
        return f"{rule.then} when {field} is there{where}"
    return f"{rule.then} when {field} is {'not ' if rule.negate else ''}{' or '.join(map(_quoted, rule.values))}{where}"


def _of_status(rule: AnswerRule, status: int) -> bool:
    return status in rule.codes if rule.codes is not None else 200 <= status <= 299


def _fits_text(rule: AnswerRule, answer: Response) -> bool:
    found = (rule.text or "").encode("utf-8", "surrogatepass") in answer.body
    return not found and not answer.truncated if rule.negate else found


def _fits_field(rule: AnswerRule, pointer: str, document: Any) -> bool:
    found = _resolved(document, pointer)
    if not rule.values:
        return found is not _ABSENT
    return any(_same(found, value) for value in rule.values) is not rule.negate


def _parsed(answer: Response) -> Any:
    if answer.truncated or not answer.body:
        return _ABSENT
    try:
        return json.loads(answer.body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        # No JSON, or one made to break its reader: nested too deep, or with numbers of thousands of digits.
        return _ABSENT


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _resolved(document: Any, pointer: str) -> Any:
    for token in pointer.split("/")[1:]:
        if isinstance(document, dict):
            document = document.get(token.replace("~1", "/").replace("~0", "~"), _ABSENT)
        elif isinstance(document, list) and _INDEX.fullmatch(token) and int(token) < len(document):
            document = document[int(token)]
        else:
            return _ABSENT
    return document


def _same(found: Any, value: str | int | float | bool | None) -> bool:
    # To Python true is 1.
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    return isinstance(found, str | int | float | None) and found == value


def _quoted(value: str | int | float | bool | None) -> str:
    return json.dumps(value, ensure_ascii=False)
