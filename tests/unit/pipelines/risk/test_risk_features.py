"""The features of transactions: as of their own time, by a plain model, and the same whatever the batches are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.joins import Event
from streamapp.pipelines.risk.amounts import PARTS
from streamapp.pipelines.risk.features import FEATURES, INPUTS, row
from streamapp.pipelines.risk.models import Candidate, Features, Transaction
from streamapp.pipelines.risk.offline import Offline
from streamapp.pipelines.risk.settings import TRANSACTIONS
from streamapp.pipelines.risk.traffic import Traffic, generate
from streamapp.produce.timeline import Timeline

START = 1_763_000_000_000
MINUTE, HOUR, MONTH = 60_000, 3_600_000, 30 * 86_400_000


def event(number: int, account: str, ip: str, amount: float, after: int) -> Event:
    value = Transaction(f"t{number}", account, ip, amount)
    return Event(account.encode(), msgspec.json.encode(value), START + after, number)


def told(*events: Event, grace: int = 0) -> list[Candidate]:
    candidates, unusable = Offline(grace).process(events)
    assert unusable == []
    return candidates


def modelled(events: list[Event]) -> Iterator[Features]:
    """Count anew for each transaction, of those before it."""
    seen: list[tuple[Transaction, int]] = []
    for one in events:
        transaction = msgspec.json.decode(one.value or b"", type=Transaction)
        seen.append((transaction, one.timestamp))
        since = partial(recent, seen, transaction, one.timestamp)
        month = since(MONTH, "account")[:-1]
        mean = statistics.fmean([other.amount for other in month]) if month else None
        minute, hour, account = since(MINUTE, "ip"), since(HOUR, "ip"), since(HOUR, "account")
        yield Features(
            len(minute),
            len(hour),
            math.fsum(other.amount for other in minute),
            math.fsum(other.amount for other in hour),
            len({other.account for other in hour}),
            len(account),
            math.fsum(other.amount for other in account),
            mean,
            deviation(transaction.amount, [other.amount for other in month]),
        )


def recent(seen: list[tuple[Transaction, int]], like: Transaction, now: int, span: int, by: str) -> list[Transaction]:
    return [one for one, time in seen if now - span < time <= now and getattr(one, by) == getattr(like, by)]


def deviation(amount: float, others: list[float]) -> float | None:
    if len(others) < 3:
        return None
    mean = statistics.fmean(others)
    return (amount - mean) / max(statistics.stdev(others), 0.01 * mean, 1 / PARTS)


transactions = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"]),
        st.integers(1, 100_000).map(lambda cents: cents / 100),
        st.sampled_from([0, 1, 500, 30_000, MINUTE, HOUR // 2, HOUR, MONTH // 2]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(transactions)
def test_features_are_those_of_a_plain_model(steps: list[tuple[str, str, float, int]]) -> None:
    after, events = 0, []
    for number, (account, ip, amount, later) in enumerate(steps):
        after += later
        events.append(event(number, account, ip, amount, after))

    for candidate, expected in zip(told(*events), modelled(events), strict=True):
        for name in FEATURES:
            found, wanted = getattr(candidate.features, name), getattr(expected, name)
            assert found == (wanted if wanted is None else pytest.approx(wanted, rel=1e-6, abs=1e-6)), name


@pytest.fixture(scope="module")
def generated() -> list[Event]:
    traffic = Traffic(accounts=40, transactions=3_000, seed=5, card_testing_share=0.1, late_share=0.05, bad_share=0.02)
    records = generate(traffic, Timeline(START, 200.0))
    return [Event(one.key, one.value, one.timestamp) for one in records if one.topic == TRANSACTIONS]


@pytest.fixture(scope="module")
def at_once(generated: list[Event]) -> list[Candidate]:
    return Offline(10_000).process(generated)[0]


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_features_are_the_same_whatever_the_batches_are(
    size: int, generated: list[Event], at_once: list[Candidate]
) -> None:
    offline, found = Offline(10_000), []
    for begin in range(0, len(generated), size):
        found += offline.process(generated[begin : begin + size])[0]

    assert found == at_once


@pytest.mark.parametrize("every", [13, 500])
def test_features_are_the_same_across_restarts(every: int, generated: list[Event], at_once: list[Candidate]) -> None:
    offline, found = Offline(10_000), []
    for begin in range(0, len(generated), every):
        found += offline.process(generated[begin : begin + every])[0]
        offline.restart()

    assert found == at_once


def test_nothing_of_what_was_planted_is_seen(generated: list[Event], at_once: list[Candidate]) -> None:
    def unmarked(one: Event) -> Event:
        value, _, _ = (one.value or b"").partition(b',"planted":')
        return Event(one.key, value if value == one.value else value + b"}", one.timestamp) if one.value else one

    assert any(b"planted" in (one.value or b"") for one in generated)
    assert Offline(10_000).process([unmarked(one) for one in generated])[0] == at_once


def test_a_late_transaction_has_no_features_and_counts_for_no_other() -> None:
    events = [event(0, "a", "10.0.0.1", 5, 60_000), event(1, "a", "10.0.0.1", 7, 49_000)]
    events.append(event(2, "a", "10.0.0.1", 9, 61_000))
    _, late, after = told(*events, grace=10_000)

    assert (late.late, late.features) == (True, Features())
    assert (after.late, after.features.ip_count_1h, after.features.account_sum_1h) == (False, 2, 14)


def test_one_that_is_behind_within_the_grace_has_the_features_of_its_own_time() -> None:
    events = [event(number, "a", "10.0.0.1", 5, after) for number, after in enumerate([0, 20_000, 11_000])]

    assert [one.features.ip_count_1m for one in told(*events, grace=10_000)] == [1, 2, 2]


def test_an_amount_is_unusual_by_those_before_it_and_not_by_itself() -> None:
    amounts = [10.0, 12.0, 11.0, 9.0, 1e9]
    last = told(*(event(n, "a", "10.0.0.1", amount, n * 1_000) for n, amount in enumerate(amounts)))[-1]

    assert last.features.account_mean == 10.5
    assert last.features.account_deviation == pytest.approx((1e9 - 10.5) / statistics.stdev(amounts[:-1]))


def test_of_fewer_than_three_amounts_none_is_unusual() -> None:
    events = [event(number, "a", "10.0.0.1", 5.0 + number, number) for number in range(4)]

    assert [one.features.account_deviation is None for one in told(*events)] == [True, True, True, False]
    assert [one.features.account_mean for one in told(*events)] == [None, 5.0, 5.5, 6.0]


def test_an_account_that_always_pays_the_same_has_a_deviation_that_is_a_number() -> None:
    events = [event(number, "a", "10.0.0.1", 9.99, number) for number in range(4)]
    events.append(event(4, "a", "10.0.0.1", 99.9, 4))

    assert [one.features.account_deviation for one in told(*events)][3:] == [0.0, pytest.approx(900.0)]


def test_amounts_of_more_than_30_days_ago_are_not_usual_any_more() -> None:
    events = [event(number, "a", "10.0.0.1", 100.0, number) for number in range(4)]
    events += [event(number, "a", "10.0.0.1", 5.0, MONTH + number) for number in range(4, 6)]

    assert told(*events)[-1].features.account_mean == 5.0


def test_what_the_profile_says_is_as_of_the_transaction() -> None:
    offline = Offline()
    offline.keep(msgspec.json.encode({"account": "a", "opened": START - 36 * HOUR, "limit": 500}))
    ((known, unknown), _) = offline.process([event(0, "a", "10.0.0.1", 5, 0), event(1, "b", "10.0.0.1", 5, 0)])

    assert (known.features.account_age_days, known.features.account_limit) == (1.5, 500)
    assert (unknown.features.account_age_days, unknown.features.account_limit) == (None, None)


def test_what_cannot_be_used_is_told_and_counts_nowhere() -> None:
    bad = Event(b"a", b'{"transaction_id":"t","account":"a","ip":"1.2.3","amount":1}', START)
    candidates, unusable = Offline().process([bad, event(1, "a", "10.0.0.1", 5, 0)])

    assert [one.features.account_count_1h for one in candidates] == [1]
    assert [one.rejected for one in unusable] == ["the ip '1.2.3' is no IPv4 or IPv6 address"]


def test_the_model_takes_the_amount_and_the_features_in_their_order() -> None:
    (one,) = told(event(0, "a", "10.0.0.1", 5, 0))

    assert dict(zip(INPUTS, row(one), strict=True)) == {"amount": 5.0, **msgspec.structs.asdict(one.features)}
