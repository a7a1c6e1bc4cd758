"""A request takes over from policies what it does not say itself, and names a policy that is known."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from streamer.core.codes import parse_codes
from streamer.core.policy import Policy
from streamer.core.policy_book import PolicyBook
from streamer.core.reading import Accepted, Refused
from streamer.core.request import Backoff, Request, RetryPolicy
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request
from tests.wire.samples import AT_MS

RETRY = RetryPolicy((1_000, 2_000), max_attempts=3)
CODES = parse_codes([404])
BOOK = PolicyBook(
    domains={"*.example.com": Policy(retry=RETRY, timeout_ms=4_000, success_codes=parse_codes(["2xx", 304]))},
    businesses={"acme": Policy(priority=2, retry_codes=CODES)},
    policies={"slow": Policy(timeout_ms=9_000, sign=True)},
)


def read(fields: dict[str, Any], book: PolicyBook | None = BOOK) -> Accepted | Refused:
    """Read a request for a domain that the book speaks of."""
    return read_request(orjson.dumps({"url": "https://api.example.com/"} | fields), (), DEFAULT_LIMITS, AT_MS, book)


def request(fields: dict[str, Any], book: PolicyBook | None = BOOK) -> Request:
    """Read a request that must be accepted."""
    outcome = read(fields, book)
    assert isinstance(outcome, Accepted), outcome
    return outcome.request


def test_a_request_takes_over_what_it_does_not_say() -> None:
    """Policy, business and domain each fill in their own; the name of the policy is carried."""
    found = request({"business": "acme", "policy": "slow"})
    assert (found.timeout_ms, found.priority, found.sign, found.policy) == (9_000, 2, True, "slow")
    assert found.success_codes == parse_codes(["2xx", "304"])
    assert found.retry == replace(RETRY, retry_codes=CODES)


def test_a_requests_own_word_comes_first() -> None:
    """What the request says is never overwritten, be it false."""
    own = {"timeout_ms": 5, "priority": 9, "sign": False, "success_codes": [201], "retry": {"intervals": ["7s"]}}
    found = request({"business": "acme", "policy": "slow", **own})
    assert (found.timeout_ms, found.priority, found.sign) == (5, 9, False)
    assert found.success_codes == parse_codes(["201"])
    assert found.retry == RetryPolicy((7_000,), None, 2, CODES), "codes that it does not name are the policy's"


def test_a_part_of_a_retry_goes_over_the_filled_one() -> None:
    """Attempts alone cut the policy's intervals; codes alone keep them; a backoff replaces them."""
    assert request({"retry": {"max_attempts": 2}}).retry == RetryPolicy((1_000,), None, 2)
    assert request({"retry": {"retry_codes": [409]}}).retry == replace(RETRY, retry_codes=parse_codes(["409"]))
    assert request({"retry": {"backoff": {}}}).retry == RetryPolicy(None, Backoff(), 5)


def test_codes_of_a_policy_go_with_the_installations_waits() -> None:
    """A policy with codes alone leaves the waits as they are by default."""
    book = PolicyBook(businesses={"acme": Policy(retry_codes=CODES)})
    assert request({"business": "acme"}, book).retry == replace(DEFAULT_LIMITS.retry, retry_codes=CODES)
    assert request({}, book).retry == DEFAULT_LIMITS.retry


def test_without_policies_all_is_as_it_was() -> None:
    """An empty book, or none, leaves the installation's defaults, as the very same values."""
    for book in (None, PolicyBook()):
        found = request({}, book)
        assert found.retry is DEFAULT_LIMITS.retry
        assert (found.timeout_ms, found.priority, found.sign) == (30_000, 5, False)


def test_an_unknown_policy_is_refused_with_the_known() -> None:
    """The refusal names the field, the name and at most a few that are known."""
    assert read({"policy": "fast"}) == Refused("policy", 'policy "fast" is not known; known are slow')
    many = PolicyBook(policies={f"p{number}": Policy() for number in range(7)})
    assert read({"policy": "x"}, many) == Refused(
        "policy", 'policy "x" is not known; known are p0, p1, p2, p3, p4, ...'
    )
    assert read({"policy": "x"}, PolicyBook()) == Refused("policy", 'policy "x" is not known; none is set')


def test_a_policys_name_is_checked_and_taken_as_it_is_without_a_book() -> None:
    """A command that only checks a record has no book, and refuses no policy that may be known to the workers."""
    assert request({"policy": "any.one"}, None).policy == "any.one"
    refused = read({"policy": "a b"}, None)
    assert isinstance(refused, Refused)
    assert refused.field == "policy"


HEADERS = PolicyBook(
    Policy(headers=(("X-All", "1"),)),
    businesses={
        "acme": Policy(headers=(("X-Api-Version", "2"), ("User-Agent", "acme"), ("Content-Type", "text/acme")))
    },
)


def test_headers_that_a_request_lacks_are_added() -> None:
    """The most specific policy's headers go behind the request's own; a name that it has, in any spelling, stays its own."""
    found = request({"business": "acme", "headers": {"x-api-version": "1"}, "json": 1}, HEADERS)
    assert found.headers == (("x-api-version", "1"), ("User-Agent", "acme"), ("Content-Type", "text/acme"))
    assert request({}, HEADERS).headers == (("X-All", "1"),)
    assert request({"json": 1}, HEADERS).headers == (("X-All", "1"), ("Content-Type", "application/json"))


@pytest.mark.parametrize("body", [{}, {"form": {"a": "1"}}, {"multipart": [{"name": "a", "body": "1"}]}])
def test_a_content_type_from_config_is_for_usual_bodies(body: dict[str, Any]) -> None:
    """No body has none, and a form's own type tells how it was written."""
    types = [value for name, value in request({"business": "acme"} | body, HEADERS).headers if name == "Content-Type"]
    assert "text/acme" not in types
    assert len(types) == len(body)


def test_headers_are_bounded_with_what_is_added() -> None:
    """Neither the request nor the policy is too large, and both together are."""
    large = tuple((f"X-{number}", "v" * 4_000) for number in range(5))
    book = PolicyBook(Policy(headers=large))
    assert len(request({}, book).headers) == 5
    refused = read({"headers": {f"Y-{number}": "v" * 4_000 for number in range(5)}}, book)
    assert isinstance(refused, Refused)
    assert refused.field == "headers"
    assert "at most 32768 are allowed, what config adds included" in refused.reason
