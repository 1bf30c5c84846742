"""A topic that was made a moment ago is there, though the broker which is asked has not heard of it yet."""

from __future__ import annotations

import pytest

from streamapp.kafka import admin as cluster
from streamapp.kafka.admin import Cluster
from streamapp.settings import Settings


class Listing(Cluster):
    """A cluster whose broker tells of these topics, one look after the other."""

    def __init__(self, *looks: dict[str, int]) -> None:
        super().__init__(Settings())
        self.looks = list(looks)

    def partitions(self) -> dict[str, int]:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


def test_a_topic_that_the_broker_tells_of_at_the_second_look_is_there() -> None:
    listing = Listing({"users": 4}, {"users": 4, "clicks": 4})
    assert listing.listed(["users", "clicks"]) == {"users": 4, "clicks": 4}


def test_what_is_there_is_looked_at_once() -> None:
    listing = Listing({"users": 4}, {})
    assert listing.listed(["users"]) == {"users": 4}
    assert listing.looks == [{}]


def test_a_topic_that_nobody_has_made_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LISTED_WITHIN_S", 0.05)
    assert Listing({"users": 4}).listed(["clicks"]) == {"users": 4}
