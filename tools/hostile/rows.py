"""What a hostile world does, and which tests show that it comes to nothing: one row for each way."""

from __future__ import annotations

from dataclasses import dataclass

_HTTP = "tests/adapters/http"


@dataclass(frozen=True, slots=True)
class Row:
    """One way: its id in the plan of tests, what is tried, and the tests that try it.

    A test is a file, or ``file::name`` for a test with all its parameters.
    """

    id: str
    what: str
    tests: tuple[str, ...]


ROWS = (
    Row(
        "D1",
        "ways inside in every notation, by guard, reader and sender; legal URLs pass",
        ("tests/contracts/test_ssrf.py", f"{_HTTP}/test_sender.py::test_ways_inside_are_blocked"),
    ),
    Row("D1", "the same by command line, over Kafka, by update and by replay", ("tests/cli/test_ssrf_corpus.py",)),
    Row("D1", "on a machine where every address answers: clouds' metadata too", (f"{_HTTP}/test_every_address.py",)),
    Row(
        "D1",
        "the table of networks, a business's own rules, one reading of a URL",
        (f"{_HTTP}/test_guard.py", f"{_HTTP}/test_guard_network.py", "tests/wire/test_url_agreement.py"),
    ),
    Row("D2", "names that are rebound between two calls", (f"{_HTTP}/test_rebinding.py", f"{_HTTP}/test_names.py")),
    Row("D3", "redirects to anywhere, and chains of them", (f"{_HTTP}/test_redirects.py",)),
    Row(
        "D4",
        "headers that break out of their line, at acceptance and at sending",
        (f"{_HTTP}/test_header_injection.py", "tests/wire/test_header_rules.py"),
    ),
    Row(
        "D5",
        "answers that unpack, drip, never end or are no HTTP",
        (f"{_HTTP}/test_misbehaving.py", f"{_HTTP}/test_content_coding.py", f"{_HTTP}/test_failures.py"),
    ),
    Row("D5", "the same in HTTP/2: floods, resets, broken frames", (f"{_HTTP}/test_misbehaving_http2.py",)),
    Row("D5", "a call's time holds whatever its peer does", (f"{_HTTP}/test_deadlines.py", f"{_HTTP}/test_paced.py")),
    Row("D6", "TLS that is old, false or broken; certificates of ours", (f"{_HTTP}/test_domain_tls.py",)),
    Row(
        "D7",
        "proxies, passwords and key logs of the environment; the egress proxy",
        (f"{_HTTP}/test_environment.py", f"{_HTTP}/test_proxy.py", "tests/settings/test_proxy.py"),
    ),
    Row(
        "D8",
        "one tenant's cookies, credentials and connections in another's call",
        (f"{_HTTP}/test_tenants.py", f"{_HTTP}/test_sender_auth.py", f"{_HTTP}/test_clients.py"),
    ),
    Row(
        "D9",
        "poison in answers: what is written of them, and how long it may be",
        ("tests/wire/test_result_record.py", "tests/wire/test_body_text.py", "tests/wire/test_record_sizes.py"),
    ),
    Row("D9", "secrets that come back in answers are found nowhere", ("tests/scenarios/test_canary.py",)),
    Row(
        "E1",
        "signatures as Standard Webhooks has them; what is signed is what is sent",
        (
            f"{_HTTP}/test_signing.py",
            f"{_HTTP}/test_signed_calls.py::test_the_bytes_on_the_wire_are_the_bytes_that_are_signed",
        ),
    ),
    Row(
        "E2",
        "keys rotated three times under load",
        ("tests/scenarios/test_keys_are_rotated_under_load.py", "tests/cli/test_signing.py"),
    ),
    Row(
        "E3",
        "what was tampered with is refused, and so are keys that are none; retries",
        (
            f"{_HTTP}/test_verification.py",
            "tests/cli/test_verify.py",
            f"{_HTTP}/test_signing.py::test_a_key_that_is_none_is_refused_by_what_is_wrong_with_it",
            f"{_HTTP}/test_signed_calls.py::test_an_attempt_is_signed_anew_under_the_same_id",
        ),
    ),
)


def selected(rows: tuple[Row, ...]) -> list[str]:
    """Return each test of some rows once, for a run that tries all of them."""
    return list(dict.fromkeys(test for row in rows for test in row.tests))
