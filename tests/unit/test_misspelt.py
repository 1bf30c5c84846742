"""Which name may be meant by one that there is not."""

from __future__ import annotations

import pytest

from streamapp.misspelt import meant

TOPICS = ["user_clicks", "user_profiles", "orders", "Payments", "shop.views"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("user_click", ["user_clicks"]),
        ("user-clicks", ["user_clicks"]),
        ("userclicks", ["user_clicks"]),
        ("ordres", ["orders"]),
        ("order", ["orders"]),
        ("payments", ["Payments"]),
        ("customers", []),
        ("", []),
    ],
)
def test_the_closest_names_are_found(name: str, found: list[str]) -> None:
    assert meant(name, TOPICS) == found


def test_a_name_that_is_there_is_not_its_own_misspelling() -> None:
    assert meant("orders", ["orders"]) == []
