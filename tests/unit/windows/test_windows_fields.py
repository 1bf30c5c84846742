"""What aggregates take of a record, and what is said of a record that has not what they can use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.joins import Event, Refused
from streamapp.windows.count import Count
from streamapp.windows.extremes import Max, Min
from streamapp.windows.fields import CheckedFields, JsonFields
from streamapp.windows.frequencies import Distinct
from streamapp.windows.numbers import Mean, Sum
from streamapp.windows.order import Last
from streamapp.windows.own import Own

GOOD = {"ip": "10.0.0.1", "amount": 12.5, "order": {"total": 7, "of": {"user": "ann"}}}


def record(value: Any) -> Event:
    return Event(b"k", value if isinstance(value, bytes) else json.dumps(value).encode(), 0)


@pytest.mark.parametrize(
    ("aggregates", "values"),
    [
        ([Count()], (None,)),
        ([Sum("amount")], (12.5,)),
        ([Count(), Sum("amount"), Distinct("ip"), Mean("amount")], (None, 12.5, "10.0.0.1", 12.5)),
        ([Sum("order.total"), Last("order.of.user")], (7, "ann")),
        ([Count("ip")], ("10.0.0.1",)),
    ],
)
def test_each_aggregate_gets_the_value_of_its_field(aggregates: list[Any], values: tuple[Any, ...]) -> None:
    assert JsonFields(aggregates)(record(GOOD)) == values


@pytest.mark.parametrize("value", [{"amount": None, "order": None}, {"amount": None, "order": {"total": None}}])
def test_null_is_none_and_so_are_the_fields_of_an_object_that_is_null(value: Any) -> None:
    assert JsonFields([Sum("amount"), Sum("order.total"), Count()])(record(value)) == (None, None, None)


def test_the_fields_of_a_cloud_event_are_those_of_its_data() -> None:
    headers = [("content-type", b"application/cloudevents+json")]
    event = json.dumps({"specversion": "1.0", "id": "e1", "data": GOOD}).encode()
    found = SimpleNamespace(key=b"k", value=event, timestamp=0, offset=0, headers=headers)
    assert JsonFields([Sum("amount"), Count()])(found) == (12.5, None)


@pytest.mark.parametrize(
    ("value", "cause", "said"),
    [
        ({"amuont": 1, "ip": "x"}, "missing_field", "the value has no field amount; is amuont meant?"),
        ({"ip": "x"}, "missing_field", "the value has no field amount; it has ip"),
        ({"payload": {"amount": 1}}, "missing_field", "it has payload; payload.amount is there"),
        (
            {"amount": "12.50"},
            "wrong_type",
            'amount is "12.50", which Sum("amount") does not take: expected int | float',
        ),
        ({"amount": "12.50"}, "wrong_type", "got str; a number has no quotes"),
        ({"amount": True}, "wrong_type", "the field amount is true"),
        ({"amount": [1]}, "wrong_type", "the field amount is [1]"),
        ({"amount": 1e141}, "wrong_type", "float <= 1e+140"),
        ({"amount": 1 << 63}, "wrong_type", "int <= 9223372036854775807"),
        (b'{"amount": "x", "amount": 1}', "wrong_type", "got `str` - at `$.amount`"),
        (b'{"amount": NaN}', "not_json", "the value is damaged JSON"),
        (b'{"amount": 1e999}', "wrong_type", "out of range"),
        (b"\x00\x00\x00\x00\x11\x04c0", "not_json", "the value is Avro or Protobuf of a schema registry"),
        (b"", "not_json", "the value is empty"),
        (b'{"amount": 1, "name": "Andr\xe9"}', "not_json", "can't decode byte 0xe9"),
        ([1], "not_json", "the value is a JSON array"),
    ],
)
def test_a_record_without_the_field_is_refused_with_what_is_there_instead(value: Any, cause: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        JsonFields([Count(), Sum("amount")])(record(value))
    assert refused.value.cause == cause
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("value", "cause", "said"),
    [
        ({"order": {"totl": 1}}, "missing_field", "the value has no field order.total; is order.totl meant?"),
        ({"order": {}}, "missing_field", "the value has no field order.total; it has none at all"),
        ({"order": 7}, "wrong_type", "the field order is 7, and has no fields"),
        ({"order": {"total": "x"}}, "wrong_type", 'the field order.total is "x"'),
        ({}, "missing_field", "the value has no field order"),
    ],
)
def test_a_field_of_an_object_is_told_by_its_whole_name(value: Any, cause: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        JsonFields([Sum("order.total")])(record(value))
    assert refused.value.cause == cause
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("aggregates", "said"),
    [
        ([Sum("x"), Max("x", text=True)], 'Max\\("x", text=True\\): another aggregate takes other values of x'),
        ([Sum("x"), Sum("x.y")], 'Sum\\("x.y"\\): x cannot be an object, and a value for another aggregate'),
        ([Sum("x.y"), Distinct("x")], 'Distinct\\("x"\\): another aggregate takes other values of x'),
    ],
)
def test_aggregates_that_no_record_can_serve_together_are_refused(aggregates: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        JsonFields(aggregates)


@pytest.mark.parametrize("value", ["text", True])
def test_what_one_aggregate_cannot_use_is_refused_for_all(value: Any) -> None:
    aggregates: list[Any] = [Distinct("x"), Min("x"), Count("x")]
    assert JsonFields(aggregates)(record({"x": 1})) == (1, 1, 1)
    with pytest.raises(Refused, match=r'Min\("x"\) does not take'):
        JsonFields(aggregates)(record({"x": value}))


def test_an_own_aggregate_says_what_it_takes() -> None:
    own = Own("tags", name="all", initial=list[str], add=lambda state, tags: state + tags, state_type=list[str])
    assert JsonFields([own])(record({"tags": ["a", {"b": 1}]})) == (["a", {"b": 1}],)
    own.takes = list[str]
    with pytest.raises(Refused, match="expected str, got object"):
        JsonFields([own])(record({"tags": ["a", {"b": 1}]}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((None, float("nan")), r'Sum\("amount"\) does not take nan'),
        ((None, "1"), r"""Sum\("amount"\) does not take '1': expected int \| float \| null, got str"""),
        ((None, True), r'Sum\("amount"\) does not take True'),
    ],
)
def test_what_a_function_takes_of_a_record_is_checked_too(values: Sequence[Any], said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        CheckedFields([Count(), Sum("amount")], lambda _: values)(record({}))
    assert refused.value.cause == "wrong_type"


def test_what_a_function_takes_of_a_record_is_returned_if_it_can_be_used() -> None:
    take = CheckedFields([Count(), Sum("amount")], lambda record: (None, len(record.value or b"")))
    assert take(record(b"12345")) == (None, 5)


def test_a_function_that_returns_other_values_than_there_are_aggregates_is_at_fault() -> None:
    with pytest.raises(ValueError, match="3 values for 2 aggregates"):
        CheckedFields([Count(), Sum("amount")], lambda _: (1, 2, 3))(record({}))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("trace", b"1")],
        [("content-type", b"application/json")],
        [("Content-Type", b"application/cloudevents+json")],
    ],
)
def test_the_columns_of_many_records_are_their_values_one_by_one_whatever_headers_say(headers: Any) -> None:
    fields = JsonFields([Sum("amount"), Distinct("name"), Count()])
    events = any(b"cloudevents" in content for _, content in headers)
    values = [{"amount": n, "name": f"n{n}"} for n in range(3)]
    records: list[Any] = [
        SimpleNamespace(
            value=json.dumps({"specversion": "1.0", "amount": "no", "data": one} if events else one).encode(),
            headers=headers,
        )
        for one in values
    ]

    assert fields.columns(records) == [[0, 1, 2], ["n0", "n1", "n2"]]
    assert [fields(one) for one in records] == [(n, f"n{n}", None) for n in range(3)]
