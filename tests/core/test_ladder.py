"""The ladder: few hops, never early, and an order in each tier that hold can rely on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.ladder import DEFAULT_TIERS, Hop, Tier, hops, look_ahead_ms, make_ladder, next_hop

NOW_MS = 1_700_000_000_000
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000

DEMO_TIERS = make_ladder([Tier("5s", 5_000), Tier("1s", 1_000), Tier("2s", 2_000)])
COARSE_TIERS = make_ladder([Tier("1m", MINUTE_MS), Tier("90s", 90_000), Tier("10m", 10 * MINUTE_MS)])

ladders = st.one_of(
    st.sampled_from([DEFAULT_TIERS, DEMO_TIERS, COARSE_TIERS]),
    st.sets(st.integers(1, 10 * DAY_MS), min_size=1, max_size=20).map(
        lambda delays: make_ladder(Tier(f"{delay}ms", delay) for delay in delays)
    ),
)
# Waits near the edges of tiers are where a ladder goes wrong, and plain integers hardly ever hit one.
edges = [tier.delay_ms + d for tier in DEFAULT_TIERS for d in (-5_001, -5_000, -4_999, -1, 0, 1)]
waits = st.one_of(st.integers(1, 40 * DAY_MS), st.sampled_from([edge for edge in edges if edge > 0]))


def test_the_default_tiers_are_what_their_names_say() -> None:
    """Topics are named after tiers, so a name must tell the delay; the set is the documented one."""
    unit_ms = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
    names = ["5s", "10s", "30s", "1m", "2m", "5m", "10m", "30m", "1h", "2h", "6h", "12h", "1d", "7d"]
    expected = [Tier(name, int(name[:-1]) * unit_ms[name[-1]]) for name in names]
    assert list(DEFAULT_TIERS) == expected
    assert make_ladder(reversed(DEFAULT_TIERS)) == DEFAULT_TIERS


@pytest.mark.parametrize("wait_ms", [0, -1, -DAY_MS])
def test_what_is_due_waits_no_more(wait_ms: int) -> None:
    """A due time that has come, or is past, needs no tier."""
    assert next_hop(DEFAULT_TIERS, NOW_MS, NOW_MS + wait_ms) is None


@pytest.mark.parametrize(
    ("wait_ms", "tier", "stay_ms"),
    [
        (1, "5s", 1),
        (1_000, "5s", 1_000),
        (5_000, "5s", 5_000),
        (5_001, "10s", 5_001),
        (10_000, "10s", 10_000),
        (10_001, "10s", 10_000),
        (25_000, "10s", 10_000),
        (25_001, "30s", 25_001),
        (59_990, "1m", 59_990),
        (2 * HOUR_MS - 5_000, "1h", HOUR_MS),
        (2 * HOUR_MS - 4_999, "2h", 2 * HOUR_MS - 4_999),
        (7 * DAY_MS, "7d", 7 * DAY_MS),
        (7 * DAY_MS + 1, "7d", 7 * DAY_MS),
        (400 * DAY_MS, "7d", 7 * DAY_MS),
    ],
)
def test_the_tier_that_a_wait_goes_onto(wait_ms: int, tier: str, stay_ms: int) -> None:
    """A tier takes what ends within its last five seconds; other waits spend the longest tier that fits."""
    hop = next_hop(DEFAULT_TIERS, NOW_MS, NOW_MS + wait_ms)
    assert hop is not None
    assert (hop.tier.name, hop.release_at_ms - NOW_MS) == (tier, stay_ms)


@pytest.mark.parametrize(
    ("wait_ms", "expected"),
    [
        (0, 0),
        (16 * SECOND_MS, 2),
        (59_990, 1),
        (299_900, 1),
        (2 * HOUR_MS - SECOND_MS, 1),
        (29 * MINUTE_MS, 5),
        (59 * MINUTE_MS, 6),
        (12 * HOUR_MS - MINUTE_MS, 10),
        (365 * DAY_MS, 53),
    ],
)
def test_the_number_of_hops_of_the_default_ladder(wait_ms: int, expected: int) -> None:
    """The default ladder keeps the hops as few as the documentation says."""
    assert hops(DEFAULT_TIERS, wait_ms) == expected


def test_the_default_policy_waits_in_single_hops() -> None:
    """Each of the default retry intervals is one hop."""
    assert [hops(DEFAULT_TIERS, wait) for wait in (60_000, 300_000, 1_800_000, 7_200_000)] == [1, 1, 1, 1]


@pytest.mark.parametrize("wait_ms", [1, 500, 1_000])
def test_a_short_wait_on_a_demo_ladder_takes_the_smallest_tier_that_holds_it(wait_ms: int) -> None:
    """Tiers closer together than the look-ahead do not send a short wait onto a long tier."""
    assert next_hop(DEMO_TIERS, NOW_MS, NOW_MS + wait_ms) == Hop(DEMO_TIERS[0], NOW_MS + wait_ms)


def test_the_look_ahead_covers_the_smallest_tier() -> None:
    """A ladder that begins above five seconds looks farther ahead, since its first tier takes every wait."""
    assert look_ahead_ms(DEFAULT_TIERS) == 5_000
    assert look_ahead_ms(DEMO_TIERS) == 5_000
    assert look_ahead_ms(COARSE_TIERS) == MINUTE_MS


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ([], "at least one tier"),
        ([Tier("0s", 0), Tier("1s", 1_000)], "'0s' has a delay of 0 ms"),
        ([Tier("60s", 60_000), Tier("1m", 60_000)], "'60s' and '1m' have the same delay"),
        ([Tier("1m", 60_000), Tier("1m", 61_000)], "same name"),
    ],
)
def test_a_ladder_that_makes_no_sense_is_refused(tiers: list[Tier], message: str) -> None:
    """The error says which tier is wrong."""
    with pytest.raises(ValueError, match=message):
        make_ladder(tiers)


@given(ladders, waits)
def test_a_hop_moves_on_within_its_tier_and_is_never_late(tiers: tuple[Tier, ...], wait_ms: int) -> None:
    """A hop's release lies ahead, within the tier's delay, and not past the due time."""
    hop = next_hop(tiers, NOW_MS, NOW_MS + wait_ms)
    assert hop is not None
    assert NOW_MS < hop.release_at_ms <= min(NOW_MS + wait_ms, NOW_MS + hop.tier.delay_ms)


@given(ladders, st.data())
def test_records_of_a_tier_ask_for_release_nearly_in_order(tiers: tuple[Tier, ...], data: st.DataObject) -> None:
    """Of two records on a tier the later asks for release no earlier than the other, less the look-ahead."""
    near = st.sampled_from([tier.delay_ms for tier in tiers]).flatmap(
        lambda delay: st.integers(max(1, delay - look_ahead_ms(tiers) - 2), delay + 2)
    )
    latest_ms: dict[str, int] = {}
    now_ms = NOW_MS
    for step_ms, wait_ms in data.draw(st.lists(st.tuples(st.integers(0, 6_000), near | waits), max_size=30)):
        now_ms += step_ms
        hop = next_hop(tiers, now_ms, now_ms + wait_ms)
        assert hop is not None
        before_ms = latest_ms.get(hop.tier.name, 0)
        assert hop.release_at_ms >= before_ms - look_ahead_ms(tiers)
        latest_ms[hop.tier.name] = max(before_ms, hop.release_at_ms)


@given(waits, st.lists(st.integers(0, 700), min_size=1))
def test_late_releases_do_not_add_up(wait_ms: int, delays_ms: list[int]) -> None:
    """However late each release is, the whole wait is late by no more than one release."""
    now_ms, due_at_ms, turn = NOW_MS, NOW_MS + wait_ms, 0
    while hop := next_hop(DEFAULT_TIERS, now_ms, due_at_ms):
        now_ms, turn = hop.release_at_ms + delays_ms[turn % len(delays_ms)], turn + 1
    assert due_at_ms <= now_ms <= due_at_ms + max(delays_ms)
