"""Ways inside, in every notation: refused by the record's reader, by the sender and by the command line alike."""

from __future__ import annotations

import orjson
import pytest

from streamer.adapters.calendar.cron import CronCalendar
from streamer.adapters.http.explain import explain
from streamer.adapters.http.guard import AddressPolicy
from streamer.adapters.http.libraries import LIBRARIES
from streamer.adapters.http.library import HttpLibrary
from streamer.core.outcome import ErrorType, Failure
from streamer.core.reading import Accepted, Refused
from streamer.wire.limits import DEFAULT_LIMITS
from streamer.wire.request_reader import read_request
from streamer.wire.schedule_record import read_schedule
from streamer.wire.task_update import updated
from streamer.wire.unreadable import UnreadableRecord
from tests.support.libraries import HTTPX, PYREQWEST
from tests.support.listener import trap
from tests.support.recording import RecordProperty
from tests.support.ssrf import CASES, LEGAL, REFUSED, UrlCase
from tests.wire.samples import DELIVERY

NOW_MS = 1_790_000_000_000
#: A corpus that somebody cut would prove nothing.
LEAST_REFUSED, LEAST_LEGAL = 150, 40


@pytest.fixture(params=[PYREQWEST, HTTPX], ids=LIBRARIES)
def library(request: pytest.FixtureRequest) -> HttpLibrary:
    """Each HTTP library, which has a reader of URLs of its own."""
    found: HttpLibrary = request.param
    return found


def name_of(case: UrlCase) -> str:
    return f"{case.kind}: {ascii(case.url)[:50]}"


def test_corpus_is_whole() -> None:
    """It holds enough of both kinds, each URL once for each place that its name leads to."""
    assert len(REFUSED) >= LEAST_REFUSED
    assert len(LEGAL) >= LEAST_LEGAL
    assert len({(case.url, case.leads_to) for case in REFUSED + LEGAL}) == len(REFUSED) + len(LEGAL)


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
async def test_way_inside_is_refused_by_the_check_that_owns_it(case: UrlCase, library: HttpLibrary) -> None:
    """The first check that fails is the one that the corpus names, and it says why."""
    checks = await explain(case.url, library, AddressPolicy(), case.look_up)
    failed = next(check for check in checks if not check.passed)
    assert failed.name == case.refused_by
    assert failed.found


@pytest.mark.parametrize("case", LEGAL, ids=name_of)
async def test_legal_url_is_not_refused(case: UrlCase, library: HttpLibrary) -> None:
    """What people call every day passes every check, and is read from a record."""
    assert all(check.passed for check in await explain(case.url, library, AddressPolicy(), case.look_up))
    assert isinstance(read_request(orjson.dumps({"url": case.url}), (), DEFAULT_LIMITS, NOW_MS), Accepted)


@pytest.mark.parametrize("case", [case for case in REFUSED if case.refused_by == "url"], ids=name_of)
def test_record_with_an_unreadable_url_is_refused(case: UrlCase) -> None:
    """A URL that has no meaning, or two, never becomes a task; the field is named."""
    reading = read_request(orjson.dumps({"url": case.url}), (), DEFAULT_LIMITS, NOW_MS)
    assert isinstance(reading, Refused)
    assert reading.field == "url"


def test_updates_schedules_and_events_are_read_as_records_are(record_property: RecordProperty) -> None:
    """A URL that comes in by another door meets the same judgement, which names the same field."""
    record_property("cases", 3 * len(CASES))
    for case in CASES:
        unreadable = case.refused_by == "url"
        assert field_refused_in_an_update(case) == ("url" if unreadable else None), case
        assert field_refused_in_a_schedule(case) == ("request.url" if unreadable else None), case
        assert field_refused_in_an_event(case) == ("url" if unreadable else None), case


def field_refused_in_an_update(case: UrlCase) -> str | None:
    found = updated(DELIVERY, orjson.dumps({"url": case.url}), DEFAULT_LIMITS, NOW_MS)
    return found.field if isinstance(found, Refused) else None


def field_refused_in_a_schedule(case: UrlCase) -> str | None:
    record = orjson.dumps({"v": 1, "every": "1h", "request": {"url": case.url}})
    try:
        read_schedule("hourly", record, DEFAULT_LIMITS, CronCalendar(), NOW_MS)
    except UnreadableRecord as error:
        return error.field
    return None


def field_refused_in_an_event(case: UrlCase) -> str | None:
    event = {"specversion": "1.0", "id": "e", "source": "/shop", "type": "send", "data": {"url": case.url}}
    reading = read_request(orjson.dumps(event), (), DEFAULT_LIMITS, NOW_MS)
    return reading.field if isinstance(reading, Refused) else None


async def test_sender_refuses_every_way_inside_and_calls_nobody(
    record_property: RecordProperty, library: HttpLibrary
) -> None:
    """Whatever reached the sender is refused as blocked before a connection is made; the trap is not hit."""
    record_property("cases", len(REFUSED))
    async with trap("127.0.0.1", "::1") as inside:
        # Not among the ports for public addresses: what a parser reads as one is not called either.
        assert inside.port not in AddressPolicy().ports
        for case in REFUSED:
            url = case.at_port(inside.port)
            exchange = await case.call(url, library)
            assert isinstance(exchange.end, Failure), url
            assert not exchange.end.begun, url
            wanted = ErrorType.DNS if case.refused_by == "name" else ErrorType.BLOCKED
            assert exchange.end.error == wanted, (url, exchange.end)
