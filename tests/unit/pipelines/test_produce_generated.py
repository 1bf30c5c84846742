"""Generated traffic: reproducible, in the shares that were asked for, and each record what it says it is."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import click
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.pipelines.clicks.models import Click as Joinable
from streamapp.pipelines.clicks.traffic import BAD_CLICKS, OPTIONS, Kind, Traffic, generate
from streamapp.produce.timeline import Timeline
from streamapp.produce.traffic import Record

START = 1_763_000_000_000
TIMELINE = Timeline(start=START, step=1.0)


class Profile(msgspec.Struct):
    """A generated profile."""

    user_id: str
    name: str


class Click(msgspec.Struct):
    """A generated click."""

    click_id: str
    user_id: str
    url: str
    timestamp: int


MIXED = Traffic(users=50, clicks=5_000, seed=7, late_share=0.1, bad_share=0.2, unmatched_share=0.3)


def records(traffic: Traffic = MIXED) -> list[Record]:
    return list(generate(traffic, TIMELINE))


def of_kind(*kinds: Kind) -> list[Record]:
    found = [record for record in records() if record.kind in kinds]
    assert found
    return found


def shares() -> st.SearchStrategy[float]:
    return st.floats(0, 0.3)


def test_the_same_seed_gives_the_same_records() -> None:
    assert records() == records()


def test_another_seed_gives_other_records() -> None:
    assert records() != records(msgspec.structs.replace(MIXED, seed=8))


def test_every_user_has_a_profile_before_the_first_click() -> None:
    first = records()[: MIXED.users]

    assert {record.key for record in first} == {b"u%d" % user for user in range(MIXED.users)}
    assert {record.kind for record in first} == {Kind.PROFILE}


@settings(deadline=None)
@given(
    st.builds(
        Traffic,
        users=st.integers(1, 20),
        clicks=st.integers(0, 200),
        seed=st.integers(),
        late_share=shares(),
        bad_share=shares(),
        unmatched_share=shares(),
        update_share=st.floats(0, 1),
    )
)
def test_there_are_as_many_records_as_were_asked_for(traffic: Traffic) -> None:
    kinds = Counter(record.kind for record in records(traffic))
    profiles = kinds.pop(Kind.PROFILE) + kinds.pop(Kind.UPDATE, 0)

    assert kinds.total() == traffic.clicks
    assert profiles + kinds.total() == traffic.total


def test_the_shares_are_those_that_were_asked_for() -> None:
    kinds = Counter(record.kind for record in records())

    assert kinds[Kind.LATE] == pytest.approx(500, rel=0.2)
    assert sum(kinds[kind] for kind in BAD_CLICKS) == pytest.approx(1_000, rel=0.2)
    assert kinds[Kind.UNMATCHED] == pytest.approx(1_500, rel=0.2)
    assert kinds[Kind.UPDATE] == 50


def test_a_share_of_one_is_all_clicks() -> None:
    assert {record.kind for record in records(Traffic(users=1, clicks=100, unmatched_share=1, update_share=0))} == {
        Kind.PROFILE,
        Kind.UNMATCHED,
    }


def test_without_shares_all_clicks_are_good() -> None:
    assert {record.kind for record in records(Traffic(users=3, clicks=1_000))} == {
        Kind.PROFILE,
        Kind.UPDATE,
        Kind.CLICK,
    }


def test_updates_take_the_users_in_turn() -> None:
    keys = [record.key for record in of_kind(Kind.UPDATE)]

    assert keys == [b"u%d" % (number % MIXED.users) for number in range(len(keys))]


def test_every_profile_is_one_and_has_its_user_id_as_key() -> None:
    for record in of_kind(Kind.PROFILE, Kind.UPDATE):
        assert record.value is not None
        profile = msgspec.json.decode(record.value, type=Profile)
        assert profile.user_id.encode() == record.key


def test_every_click_that_is_not_bad_is_one_and_has_its_user_id_as_key() -> None:
    for record in of_kind(Kind.CLICK, Kind.LATE, Kind.UNMATCHED):
        assert record.value is not None
        click = msgspec.json.decode(record.value, type=Click)
        assert (click.user_id.encode(), click.timestamp) == (record.key, record.timestamp)


def test_click_ids_are_unique() -> None:
    ids = [
        msgspec.json.decode(record.value or b"", type=Click).click_id
        for record in of_kind(Kind.CLICK, Kind.LATE, Kind.UNMATCHED)
    ]

    assert len(set(ids)) == len(ids)


def test_unmatched_clicks_are_of_users_without_a_profile() -> None:
    users = {record.key for record in of_kind(Kind.PROFILE)}

    assert users.isdisjoint(record.key for record in of_kind(Kind.UNMATCHED))


def refused(error: type[Exception]) -> Callable[[Record], None]:
    def check(record: Record) -> None:
        with pytest.raises(error):
            msgspec.json.decode(record.value or b"", type=Joinable)

    return check


def has_no_key(record: Record) -> None:
    assert record.key is None


def has_no_value(record: Record) -> None:
    assert record.value is None


def has_another_key(record: Record) -> None:
    assert msgspec.json.decode(record.value or b"", type=Click).user_id.encode() != record.key


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        (Kind.NOT_JSON, refused(msgspec.DecodeError)),
        (Kind.MISSING_FIELD, refused(msgspec.ValidationError)),
        (Kind.WRONG_TYPE, refused(msgspec.ValidationError)),
        (Kind.NULL_KEY, has_no_key),
        (Kind.WRONG_KEY, has_another_key),
        (Kind.TOMBSTONE, has_no_value),
    ],
)
def test_a_bad_click_is_bad_in_the_way_it_says(kind: Kind, check: Callable[[Record], None]) -> None:
    assert kind in BAD_CLICKS
    for record in of_kind(kind):
        check(record)


def test_records_follow_the_timeline_and_late_clicks_are_1_to_10_minutes_behind_it() -> None:
    for due, record in zip(itertools.count(START), records(), strict=False):
        behind = due - record.timestamp
        assert 60_000 <= behind <= 600_000 if record.kind is Kind.LATE else behind == 0


def clicks_of(rate: float) -> list[Record]:
    return [one for one in MIXED.records(rate, START) if one.kind == Kind.CLICK]


def test_a_backlog_is_1_ms_apart_and_ends_now() -> None:
    last = list(MIXED.records(0, START))[-1]

    assert last.timestamp == START
    assert clicks_of(0)[0].timestamp == pytest.approx(START - 5_000, abs=100)


def test_a_large_backlog_is_closer_so_that_no_profile_expires_within_it() -> None:
    first = next(Traffic(users=1, clicks=2_400_000, update_share=0).records(0, START))

    assert first.timestamp == pytest.approx(START - 240_000, abs=1)


def test_live_traffic_begins_now_and_has_the_rate() -> None:
    times = [one.timestamp for one in MIXED.records(200, START)][:50]

    assert times == list(range(START, START + 250, 5))


def test_traffic_can_be_without_end() -> None:
    endless = generate(Traffic(users=1, endless=True), TIMELINE)

    assert sum(1 for _ in itertools.islice(endless, 50_000)) == 50_000


def test_shares_that_are_more_than_all_are_refused() -> None:
    with pytest.raises(ValueError, match="must not exceed 1 together"):
        Traffic(late_share=0.4, bad_share=0.4, unmatched_share=0.4)


def test_the_options_of_the_command_have_the_defaults_of_the_traffic() -> None:
    parsed = click.Command("produce", params=[*OPTIONS]).make_context("produce", []).params

    assert Traffic(**parsed) == Traffic()
    assert parsed.keys() == set(Traffic.__struct_fields__)
