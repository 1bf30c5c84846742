"""What the options of ``streamapp join`` name has to go together."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.cli.join_options import JoinOptions, check_options
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
