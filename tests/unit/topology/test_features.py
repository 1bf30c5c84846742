"""Features as they are declared: what is wrong with them is told in a line, and what results look like."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from streamapp.joins import Event, Refused
from streamapp.settings import Settings
from streamapp.topology import App, JoinError
from streamapp.topology.features import Members, Usable, grouped, with_members
from streamapp.windows import Count, Distinct, Own, Sum, tumbling
from streamapp.windows.gathering import Original

COUNT = Count(over="1m")


def topic() -> Any:
    return App(Settings(store="memory://")).topic("transactions")


def record(value: Any, key: bytes | None = b"k") -> Event:
    return Event(key, value if isinstance(value, bytes) else json.dumps(value).encode(), 1_000)


def test_features_are_grouped_by_the_field_that_they_are_by() -> None:
    features: dict[str, Any] = {
        "n": COUNT,
        "ips": Distinct("ip", over=500),
        "m": Count(over=timedelta(hours=1), by="ip"),
    }
    groups = grouped(features, "account")
    assert {by: {name: one.size for name, one in group.items()} for by, group in groups.items()} == {
        "": {"n": 60_000, "ips": 500},
        "ip": {"m": 3_600_000},
    }


def test_what_is_by_the_field_that_keys_are_needs_no_hop() -> None:
    assert list(grouped({"n": Count(over="1m", by="ip")}, "ip")) == [""]


def test_the_text_of_an_aggregate_says_over_what_and_by_what_it_is() -> None:
    assert repr(Sum("amount", over="1h", by="ip")) == 'Sum("amount", over="1h", by="ip")'


def test_own_aggregates_are_features_too() -> None:
    own = Own("a", name="x", initial=int, add=lambda state, value: state + value, state_type=int, over="1m", by="ip")
    assert grouped({"x": own}, "")["ip"]["x"].size == 60_000


@pytest.mark.parametrize(
    ("features", "told"),
    [
        ({}, r'enrich\(\) needs at least one feature, such as n=Count\(over="1m"\)'),
        ({"n": Count()}, r'n=Count\(\) does not say how far it looks back: over="1m", say'),
        ({"n": Count(over=0)}, r"n=Count\(over=0\): it must look back by more than nothing"),
        ({"n": Count(over="1 minute")}, "'1 minute' is no duration"),
        ({"n": Sum("a.b", over="1m"), "m": Sum("a", over="1m")}, "another aggregate takes other values of a"),
    ],
)
def test_features_that_cannot_be_are_told(features: dict[str, Any], told: str) -> None:
    with pytest.raises(JoinError, match=told):
        topic().enrich(**features)


def test_windows_take_no_aggregates_that_say_over_what_they_are() -> None:
    with pytest.raises(JoinError, match=r"over= and by= are for enrich\(\), windows have their own"):
        topic().window(tumbling("1m")).agg(n=COUNT)


def test_two_enrichments_of_one_name_are_told() -> None:
    payments = topic()
    payments.enrich(n=COUNT).to("enriched")
    with pytest.raises(JoinError, match="there is an enrichment enriched already: give the enrichment another name"):
        payments.enrich(m=COUNT).to("enriched")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"ip": "a", "amount": 1, "n": 2}, "the value has a field n already: give the feature another name"),
        ({"amount": 1}, "the value has no field ip"),
        ({"ip": "a", "amonut": 1}, "is amonut meant?"),
        ({"ip": "a", "amount": "1"}, "a number has no quotes"),
        ({"ip": None, "amount": 1}, "the field ip is null, and nothing can be counted by it"),
        ([1], "object"),
    ],
)
def test_a_record_that_cannot_be_counted_is_refused_with_the_reason(value: Any, told: str) -> None:
    usable = Usable(grouped({"n": Count(over="1m", by="ip"), "spent": Sum("amount", over="1m")}, ""), None)
    with pytest.raises(Refused, match=told):
        usable(record(value))


def test_a_text_that_is_the_name_of_a_feature_is_no_field() -> None:
    usable = Usable(grouped({"n": COUNT}, ""), None)
    assert usable(record({"ip": "n", "of": {"n": 1}})) == {"": b"k"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'{"a":1}', b'{"a":1,"n":3}'),
        (b"{}", b'{"n":3}'),
        (b' { "a" : 1.50 } \n', b' { "a" : 1.50,"n":3}'),
    ],
)
def test_features_are_added_to_the_value_which_stays_as_it_came(value: bytes, expected: bytes) -> None:
    assert with_members(record(value), Members(["n"])([3])) == expected


def test_values_of_features_are_json() -> None:
    members = Members(["n", "a b"])((None, [1.5, "x"]))
    assert msgspec.json.decode(b"{%b}" % members) == {"n": None, "a b": [1.5, "x"]}


def test_what_a_record_has_asked_counts_and_not_what_is_declared_when_it_waits() -> None:
    usable = Usable(grouped({"spent": Sum("amount", over="1m", by="ip")}, ""), None)
    usable.check(Original(b"k", b'{"ip":"a"}', 1_000, 0, [], ("ip",)))
    with pytest.raises(Refused, match="the value has no field amount"):
        usable.check(Original(b"k", b'{"ip":"a"}', 1_000, 0))
    with pytest.raises(Refused, match="it could not be counted when it was read"):
        usable.check(Original(b"k", b'{"ip":"a","amount":1}', 1_000, 0))
