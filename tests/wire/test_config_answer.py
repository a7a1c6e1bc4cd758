"""Rules on answers as records on ``config`` say them: read as they are meant, refused by what is wrong with which rule."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.core.codes import parse_codes
from streamer.core.policy import BreakerPolicy, Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.send_policy import AnswerRule, Meaning
from streamer.wire.config_record import Installation, decode_config, encode_config
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.unreadable import UnreadableRecord

PLACE = Installation(DEFAULT_LIMITS, BreakerPolicy())


def read(rules: list[dict[str, Any]], key: str = "domain:example.com") -> tuple[AnswerRule, ...] | None:
    """Read a record with these rules."""
    return decode_config(key, encode_config({"answer": rules}), PLACE).policy.answer


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ({"then": "retry", "json": "/error/code", "is": [4290, "busy", None]},
         AnswerRule(Meaning.RETRY, pointer="/error/code", values=(4290, "busy", None))),
        ({"then": "stop", "json": "/ok", "is_not": [True]},
         AnswerRule(Meaning.STOP, pointer="/ok", values=(True,), negate=True)),
        ({"then": "retry", "json": "/error"}, AnswerRule(Meaning.RETRY, pointer="/error")),
        ({"then": "success", "json": "", "is": ["OK"]}, AnswerRule(Meaning.SUCCESS, pointer="", values=("OK",))),
        ({"then": "success", "codes": [409, "5xx"], "contains": "duplicate"},
         AnswerRule(Meaning.SUCCESS, parse_codes(["409", "5xx"]), text="duplicate")),
        ({"then": "retry", "lacks": "OK"}, AnswerRule(Meaning.RETRY, text="OK", negate=True)),
    ],
)  # fmt: skip
def test_rules(written: dict[str, Any], rule: AnswerRule) -> None:
    """Each kind of condition."""
    assert read([written]) == (rule,)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"then": "retry"}, "answer.2 must have json"),
        ({"then": "retry", "is": [1]}, "answer.2 must have json"),
        ({"then": "retry", "json": "/a", "is": [1], "is_not": [2]}, "answer.2 has is and is_not; one of them"),
        ({"then": "retry", "contains": "a", "lacks": "b"}, "answer.2 has contains and lacks; one of them"),
        ({"then": "retry", "json": "/a", "contains": "b"}, "answer.2: contains looks at the whole text"),
        ({"then": "retry", "json": "/a~b"}, 'answer.2.json: \'/a~b\' is no JSON pointer: write "~" as "~0"'),
        ({"then": "later", "lacks": "OK"}, "success, retry or stop"),
        ({"then": "retry", "json": "a"}, "a JSON pointer"),
        ({"then": "retry", "json": "/a", "is": []}, "a list of 1 to 32"),
        ({"then": "retry", "contains": ""}, "text of 1 to 256 characters"),
    ],
)
def test_refusals(written: dict[str, Any], said: str) -> None:
    """A rule that says too little, too much or nothing that can be is refused by its number."""
    with pytest.raises(UnreadableRecord) as refused:
        read([{"then": "retry", "lacks": "OK"}, written])
    assert said in refused.value.reason


def test_the_most_specific_who_speaks_says_all_rules() -> None:
    """Lists are not put together: a named policy's are before a business's, its before the domain's."""
    say = {word: (AnswerRule(Meaning.RETRY, text=word),) for word in ("domain", "business", "policy")}
    book = PolicyBook(
        domains={"example.com": Policy(answer=say["domain"])},
        businesses={"acme": Policy(answer=say["business"])},
        policies={"slow": Policy(answer=say["policy"])},
    )
    assert book.how("example.com", "other", None).answer == say["domain"]
    assert book.how("example.com", "acme", None).answer == say["business"]
    assert book.how("example.com", "acme", "slow").answer == say["policy"]
    assert book.how("example.net", "other", None).answer == ()
