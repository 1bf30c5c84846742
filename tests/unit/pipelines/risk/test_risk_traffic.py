"""Generated transactions: reproducible, in the shares that were asked for, and each case what it says it is."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

import click
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.errors import ProduceError
from streamapp.pipelines.risk.fraud import Fraud
from streamapp.pipelines.risk.models import AccountProfile, Transaction
from streamapp.pipelines.risk.settings import ACCOUNTS, TRANSACTIONS
from streamapp.pipelines.risk.traffic import BAD, OPTIONS, Kind, Traffic, generate
from streamapp.produce.timeline import Timeline
from streamapp.produce.traffic import Record

START = 1_763_000_000_000
TIMELINE = Timeline(start=START, step=72.0)
MIXED = Traffic(accounts=500, transactions=60_000, seed=7, late_share=0.05, bad_share=0.05)
GOOD = {Kind.TRANSACTION, Kind.LATE, *Fraud}


class Generated(msgspec.Struct):
    """A generated transaction."""

    transaction_id: str
    account: str
    ip: str
    amount: float
    time: int
    planted: str = ""


@pytest.fixture(scope="module")
def mixed() -> list[Record]:
    return list(generate(MIXED, TIMELINE))


@pytest.fixture(scope="module")
def cases(mixed: list[Record]) -> dict[str, list[Generated]]:
    found: dict[str, list[Generated]] = defaultdict(list)
    for record in mixed:
        if record.kind in {*Fraud}:
            one = msgspec.json.decode(record.value or b"", type=Generated)
            found[one.planted].append(one)
    assert {case.rpartition("-")[0] for case in found} == {*Fraud}
    return found


def of(kind: Fraud, cases: dict[str, list[Generated]]) -> list[list[Generated]]:
    """Return the cases of a kind, without those that the end of the traffic may have cut off."""
    return [case for name, case in cases.items() if name.startswith(kind) and case[0].time < START + 1_800_000]


def test_the_same_seed_gives_the_same_records() -> None:
    small = msgspec.structs.replace(MIXED, transactions=2_000)

    assert list(generate(small, TIMELINE)) == list(generate(small, TIMELINE))
    other = msgspec.structs.replace(small, seed=8)
    assert list(generate(small, TIMELINE)) != list(generate(other, TIMELINE))


def test_every_account_has_a_profile_before_its_first_transaction(mixed: list[Record]) -> None:
    known: set[bytes | None] = set()
    for record in mixed:
        if record.topic == ACCOUNTS:
            profile = msgspec.json.decode(record.value or b"", type=AccountProfile)
            assert (profile.account.encode(), profile.limit is not None) == (record.key, True)
            assert profile.opened is not None
            assert profile.opened < record.timestamp
            known.add(record.key)
        elif record.kind in GOOD:
            assert record.key in known


def test_every_transaction_that_is_not_bad_is_one_of_its_account(mixed: list[Record]) -> None:
    for record in mixed:
        if record.kind in GOOD:
            assert msgspec.json.decode(record.value or b"", type=Transaction).account.encode() == record.key
            assert msgspec.json.decode(record.value or b"", type=Generated).time == record.timestamp


def test_the_shares_are_those_that_were_asked_for(mixed: list[Record]) -> None:
    kinds = Counter(record.kind for record in mixed if record.topic == TRANSACTIONS)

    assert kinds.total() == MIXED.transactions
    assert kinds[Kind.LATE] == pytest.approx(3_000, rel=0.1)
    assert sum(kinds[kind] for kind in BAD) == pytest.approx(3_000, rel=0.1)
    assert kinds[Fraud.CARD_TESTING] == pytest.approx(600, rel=0.4)
    assert kinds[Fraud.TAKE_OVER] == pytest.approx(180, rel=0.4)
    assert kinds[Fraud.MULE] == pytest.approx(180, rel=0.4)


def test_without_shares_nothing_is_planted_late_or_bad() -> None:
    traffic = Traffic(transactions=5_000, card_testing_share=0, take_over_share=0, mule_share=0)

    assert {record.kind for record in generate(traffic, TIMELINE)} == {Kind.ACCOUNT, Kind.TRANSACTION}


def test_card_testing_is_many_accounts_and_small_amounts_from_one_ip_in_minutes(
    cases: dict[str, list[Generated]],
) -> None:
    for case in of(Fraud.CARD_TESTING, cases):
        assert len({one.ip for one in case}) == 1
        assert len({one.account for one in case}) > 0.8 * len(case)
        assert max(one.amount for one in case) <= 3
        assert len(case) >= 20
        assert case[-1].time - case[0].time < 180_000


def test_an_account_that_is_taken_over_pays_from_an_ip_that_it_never_had(
    cases: dict[str, list[Generated]], mixed: list[Record]
) -> None:
    ips: dict[str, set[str]] = defaultdict(set)
    for record in mixed:
        if record.kind in {Kind.TRANSACTION, Kind.LATE}:
            one = msgspec.json.decode(record.value or b"", type=Generated)
            ips[one.account].add(one.ip)
    for case in of(Fraud.TAKE_OVER, cases):
        assert len({(one.account, one.ip) for one in case}) == 1
        assert case[0].ip not in ips[case[0].account]


def test_a_mule_takes_in_from_many_and_sends_on_from_one_ip(cases: dict[str, list[Generated]]) -> None:
    for case in of(Fraud.MULE, cases):
        last = case[-1]
        ring = [one for one in case if one.ip == last.ip]
        assert len({one.account for one in case}) == 1
        assert 2 <= len(ring) <= 4
        assert sum(one.amount for one in ring) <= sum(one.amount for one in case if one.ip != last.ip)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_transaction_is_bad_in_the_way_it_says(kind: Kind, mixed: list[Record]) -> None:
    found = [record for record in mixed if record.kind == kind]
    assert found
    for record in found:
        match kind:
            case Kind.TOMBSTONE:
                assert record.value is None
            case Kind.NULL_KEY:
                assert record.key is None
            case Kind.WRONG_KEY:
                assert msgspec.json.decode(record.value or b"", type=Transaction).account.encode() != record.key
            case _:
                why = {Kind.NO_AMOUNT: "amount", Kind.NO_MONEY: "amount", Kind.NO_IP: "ip"}.get(kind, "truncated")
                with pytest.raises(msgspec.DecodeError, match=why):
                    msgspec.json.decode(record.value or b"", type=Transaction)


def test_event_times_go_on_but_for_late_transactions(mixed: list[Record]) -> None:
    latest = 0
    for record in mixed:
        if record.kind == Kind.LATE:
            assert 59_000 <= latest - record.timestamp <= 601_000
        else:
            assert record.timestamp >= latest
            latest = record.timestamp


@settings(deadline=None)
@given(
    st.builds(
        Traffic,
        accounts=st.integers(1, 20),
        transactions=st.integers(0, 300),
        seed=st.integers(),
        card_testing_share=st.floats(0, 0.1),
        take_over_share=st.floats(0, 0.1),
        mule_share=st.floats(0, 0.1),
        late_share=st.floats(0, 0.3),
        bad_share=st.floats(0, 0.3),
    )
)
def test_there_are_as_many_transactions_as_were_asked_for(traffic: Traffic) -> None:
    kinds = Counter(record.kind for record in generate(traffic, TIMELINE))
    report = traffic.summary(kinds)

    assert report.transactions == traffic.transactions
    assert report.accounts >= traffic.accounts
    assert report.planted + report.late + report.bad <= report.transactions


def test_in_a_backlog_an_account_pays_every_three_minutes_and_the_last_one_now() -> None:
    records = [one for one in Traffic(accounts=100, transactions=6_000).records(0, START) if one.topic == TRANSACTIONS]

    assert records[-1].timestamp == START
    assert records[0].timestamp == pytest.approx(START - 60 * 180_000, abs=2_000)


def test_live_traffic_begins_now_and_has_the_rate() -> None:
    times = [one.timestamp for one in itertools.islice(Traffic(endless=True).records(200, START), 2_000)]

    assert (times[0], times[500]) == (START, START + 2_500)


def test_traffic_without_end_needs_a_rate() -> None:
    with pytest.raises(ProduceError, match="need a rate"):
        Traffic(endless=True).records(0, START)


@pytest.mark.parametrize(
    ("card_testing", "late", "why"),
    [(0.5, 0.0, "less than a half together"), (0.01, 1.0, "must not exceed 1 together")],
)
def test_shares_that_are_too_much_are_refused(card_testing: float, late: float, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Traffic(card_testing_share=card_testing, late_share=late)


def test_the_options_of_the_command_have_the_defaults_of_the_traffic() -> None:
    parsed = click.Command("produce", params=[*OPTIONS]).make_context("produce", []).params

    assert Traffic(**parsed) == Traffic()
    assert parsed.keys() == set(Traffic.__struct_fields__)
