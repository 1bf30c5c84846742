"""What the options of ``streamapp join`` name has to go together."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.cli.join_options import JoinOptions, check_options
from streamapp.errors import StreamappError
from streamapp.formats import Avro
from streamapp.formats.keys import KeyField
from streamapp.settings import Settings
from streamapp.topology import JoinError

GIVEN: dict[str, Any] = {
    "left": "orders",
    "right": "customers",
    "to": "joined",
    "field": "customer_id",
}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "orders"}, "--to orders is what --left reads"),
        ({"to": "customers"}, "--to customers is what --right reads"),
        ({"unmatched": "orders"}, "--unmatched orders is what --left reads"),
        ({"late": "customers"}, "--late customers is what --right reads"),
        ({"rejected": "orders"}, "--rejected orders is what --left reads"),
        ({"unmatched": "joined"}, r"--unmatched joined is where the results go \(--to\)"),
        ({"rejected": "joined"}, r"--rejected joined is where the results go \(--to\)"),
        ({"right": "orders"}, "--left and --right are both orders: as a table it would join each record with itself"),
        ({"left": ""}, "--left '' is no name of a topic"),
        ({"to": "a/b"}, "--to 'a/b' is no name of a topic"),
        ({"late": ".."}, "--late '..' is no name of a topic"),
        ({"field": ""}, "--on '' is no name of a field"),
        ({"field": "  "}, "--on '  ' is no name of a field"),
        ({"field": "a\nb"}, "is no name of a field"),
        ({"field": " id"}, "--on ' id' is no name of a field"),
        ({"field": "$.id"}, r"--on '\$.id' is no name of a field"),
        ({"field": "/user/id"}, "--on '/user/id' is no name of a field"),
        ({"field": "user..id"}, "--on 'user..id' is no name of a field"),
        ({"field": "users[0]"}, r"--on 'users\[0\]' is no name of a field"),
    ],
)
def test_what_cannot_be_is_refused_and_the_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(JoinError, match=message) as refused:
        check_options(JoinOptions(**(GIVEN | options)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"unmatched": "rest", "late": "rest", "rejected": "rest"},
        {"right": "orders", "before": 1_000, "after": 0},
        {"field": "Kundennummer für alle"},
        {"field": "user.id"},
    ],
)
def test_what_can_be_is_not_refused(options: dict[str, Any]) -> None:
    check_options(JoinOptions(**(GIVEN | options)))


AVRO_KEYS: dict[str, Any] = {"key_format": "avro", "key_schema": "string"}


def test_keys_that_are_in_a_format_are_so_in_the_results_unless_both_sides_are_written_once_more() -> None:
    given, rekeyed = (JoinOptions(**GIVEN, **AVRO_KEYS, repartition=sides) for sides in ((), ("left", "right")))
    check_options(rekeyed)
    assert [given.key_format_of(topic) for topic in ("left", "right", "to")] == [
        KeyField(Avro("string"), "customer_id")
    ] * 3
    assert [rekeyed.key_format_of(topic) is None for topic in ("left", "right", "to")] == [False, False, True]


def test_one_side_with_keys_in_a_format_is_not_joined_with_one_whose_keys_are_text() -> None:
    with pytest.raises(JoinError, match=r"--repartition left gives left .* as text.*add --rep"):
        check_options(JoinOptions(**GIVEN, **AVRO_KEYS, repartition=("left",)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key_format": "avro"}, "avro needs a schema: --key-schema names its file"),
        ({"key_format": "msgpack", "key_schema": "x.avsc"}, "--key-schema=x.avsc: msgpack takes no schema"),
    ],
)
def test_an_error_about_the_schema_of_keys_names_its_option(options: dict[str, Any], message: str) -> None:
    with pytest.raises(StreamappError, match=message):
        JoinOptions(**(GIVEN | options)).key_format_of("left")


def test_a_schema_tells_the_format_by_the_name_of_its_file() -> None:
    assert JoinOptions(**GIVEN, left_schema="orders.avsc").format_of("left", Settings()) == Avro("orders.avsc")
