"""The limit in flight gives way to trouble, ignores chance, and comes back."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.models.chat.headers import duration, retry_after
from spacy_synthesizrr.models.chat.pace import BACKOFF, LONGEST, RECENT, Bucket, Pace, full_jitter


def pace(most=64):
    return Pace(most, random.Random(0))


def succeed(made, count, seconds=0.1, start=0.0):
    """Answers one after the other; returns the time afterwards."""
    now = start
    for _ in range(count):
        made.succeeded(sent=now, now=now + seconds)
        now += seconds
    return now


def test_it_starts_where_it_may_go():
    assert pace(10).allowed == 10


def test_refusals_lower_it_by_a_quarter():
    made = pace(40)
    for _ in range(6):
        made.troubled(sent=0.0, now=1.0)
    assert made.allowed == 30


def test_one_burst_counts_once():
    made = pace(40)
    for _ in range(40):
        made.troubled(sent=0.0, now=1.0)
    assert made.allowed == 30


def test_after_a_decrease_the_share_of_refusals_is_counted_anew():
    made = pace(40)
    for _ in range(6):
        made.troubled(sent=0.0, now=1.0)
    made.troubled(sent=2.0, now=3.0)
    assert made.allowed == 30


def test_a_refusal_now_and_then_says_nothing():
    made, rng, now = pace(64), random.Random(1), 0.0
    for _ in range(2000):
        if rng.random() < 0.05:
            made.troubled(sent=now, now=now + 0.1)
        else:
            made.succeeded(sent=now, now=now + 0.1)
        now += 0.1
    assert made.allowed >= 40


def test_it_never_falls_under_one_and_recovers_from_the_floor():
    made, now = pace(8), 0.0
    for _ in range(400):
        now += 1.0
        made.troubled(sent=now, now=now)
    assert made.allowed == 1
    succeed(made, 25 * 8, start=now)
    assert made.allowed == 8


def test_a_server_that_gets_slower_gets_less():
    made = pace(40)
    now = succeed(made, 100, seconds=0.1)
    succeed(made, 40, seconds=0.5, start=now)
    assert made.allowed == 30


def test_a_decrease_that_helped_stays():
    made = pace(40)
    now = succeed(made, 80, seconds=0.1)
    now = succeed(made, 40, seconds=0.5, start=now)
    succeed(made, 40, seconds=0.15, start=now)
    assert made.allowed == 31


@pytest.mark.parametrize(("before", "after"), [(0.1, 0.19), (0.005, 0.045)])  # less than twice; by a few hundredths of a second
def test_a_small_rise_lowers_it_at_no_time(before, after):
    made, lowest = pace(40), 40
    now = succeed(made, 80, seconds=before)
    for _ in range(200):
        now = succeed(made, 1, seconds=after, start=now)
        lowest = min(lowest, made.allowed)
    assert lowest == 40


def test_what_was_sent_before_a_decrease_does_not_count_as_slow_after_it():
    made = pace(40)
    now = succeed(made, 100, seconds=0.1)
    for _ in range(6):
        made.troubled(sent=now, now=now + 1.0)
    for _ in range(40):
        made.succeeded(sent=now, now=now + 2.0)
    assert made.allowed == 31


def test_a_server_that_is_slow_for_reasons_of_its_own_gets_its_share_back():
    made = pace(40)
    now = succeed(made, 100, seconds=0.1)
    now = succeed(made, 40, seconds=0.5, start=now)
    lowered = made.allowed
    succeed(made, 200, seconds=0.5, start=now)
    assert lowered == 30 and made.allowed == 40


def test_latencies_that_only_vary_cost_nothing():
    made, rng, now, lowest = pace(64), random.Random(3), 0.0, 64
    for _ in range(3000):
        made.succeeded(sent=now, now=now + rng.lognormvariate(-1.2, 0.5))
        now += 0.01
        lowest = min(lowest, made.allowed)
    assert lowest >= 36 and made.allowed >= 48


def test_a_wait_that_the_server_asks_for_holds_all():
    made = pace()
    made.troubled(sent=0.0, now=10.0, wait=7.0)
    assert made.held_until == 17.0


def test_an_outage_is_waited_out_with_growing_pauses():
    made, now = pace(4), 0.0
    for _ in range(20 * RECENT):
        now = max(now, made.held_until)
        made.troubled(sent=now, now=now)
    assert now > LONGEST


def test_pauses_grow_while_nothing_succeeds_and_are_short_again_afterwards():
    made, now, pauses = pace(4), 0.0, []
    for _ in range(20 * RECENT):
        before = made.held_until
        made.troubled(sent=now, now=now)
        pauses += [made.held_until - now] if made.held_until > before else []
        now = max(now, made.held_until)
    assert max(pauses[:1]) <= BACKOFF < max(pauses)
    made.succeeded(sent=now, now=now)
    for _ in range(RECENT):
        made.troubled(sent=now, now=now + 0.1)
    assert 0.0 < made.held_until - (now + 0.1) <= BACKOFF


@given(st.integers(0, 10_000), st.integers(0, 1000))
def test_pauses_lie_between_zero_and_the_longest(attempt, seed):
    assert 0.0 <= full_jitter(attempt, random.Random(seed)) <= LONGEST


def test_pauses_are_spread_over_the_whole_range():
    rng = random.Random(0)
    found = [full_jitter(3, rng) for _ in range(1000)]
    assert min(found) < 0.1 and max(found) > 3.9


@given(st.lists(st.floats(0.1, 30.0), min_size=1, max_size=60), st.floats(1.0, 6000.0))
def test_a_bucket_never_gives_more_than_its_rate_and_one_burst(amounts, per_minute):
    bucket, now, taken = Bucket(per_minute), 0.0, 0.0
    for amount in amounts:
        amount = min(amount, bucket.room)
        now += bucket.wait(amount, now)
        bucket.take(amount)
        taken += amount
        assert taken <= bucket.room + per_minute / 60.0 * now + 1e-6


def test_a_bucket_takes_back_what_was_not_used():
    bucket = Bucket(60)
    bucket.take(5)
    assert bucket.wait(5, 0.0) == 5.0
    bucket.take(-5)
    assert bucket.wait(5, 0.0) == 0.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("1.5", 1.5),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_durations_are_read_as_servers_write_them(text, seconds):
    assert duration(text) == seconds


def test_retry_after_is_seconds_milliseconds_or_a_date():
    assert retry_after({"retry-after": "3"}) == 3.0
    assert retry_after({"retry-after-ms": "250", "retry-after": "3"}) == 0.25
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert retry_after({"retry-after": "whenever"}) is None
    assert retry_after({}) is None


def test_pauses_are_short_while_the_server_is_well():
    rng = random.Random(0)
    assert max(full_jitter(3, rng, calm=True) for _ in range(200)) <= BACKOFF * 2**3 * 0.1


def test_a_server_is_well_until_a_share_of_requests_is_in_trouble():
    pace = Pace(8, random.Random(0))
    assert pace.calm
    for number in range(RECENT):
        pace.troubled(sent=0.0, now=float(number))
    assert not pace.calm
