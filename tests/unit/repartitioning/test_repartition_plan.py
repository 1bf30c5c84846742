"""Which rows move when topics get more partitions, and what is said of it."""

from __future__ import annotations

from collections import Counter

import pytest

from streamapp.kafka.admin import ClusterError
from streamapp.kafka.partitioners import PARTITIONERS
from streamapp.repartitioning.plan import Plan, move_of

KEYS = [b"u%d" % number for number in range(100)]
JAVA, LIBRDKAFKA = PARTITIONERS


def placed(partitioner: str, count: int, keys: list[bytes] = KEYS) -> list[tuple[bytes, int]]:
    return [(key, PARTITIONERS[partitioner](key, count)) for key in keys]


@pytest.mark.parametrize("partitioner", PARTITIONERS)
def test_rows_move_by_the_partitioner_that_placed_them(partitioner: str) -> None:
    move = move_of("users", "app-users-changelog", placed(partitioner, 4), 4, 6)
    place = PARTITIONERS[partitioner]
    assert (move.partitioner, move.rows) == (partitioner, 100)
    assert move.moved == sum(place(key, 4) != place(key, 6) for key in KEYS)


def test_what_an_earlier_try_has_moved_does_not_move_again() -> None:
    half = placed(JAVA, 4, KEYS[:50]) + placed(JAVA, 6, KEYS[50:])
    place = PARTITIONERS[JAVA]
    move = move_of("users", "app-users-changelog", half, 4, 6)
    assert (move.partitioner, move.moved) == (JAVA, sum(place(key, 4) != place(key, 6) for key in KEYS[:50]))


def test_keys_that_no_known_partitioner_has_placed_do_not_move() -> None:
    elsewhere = [(key, (PARTITIONERS[JAVA](key, 4) + 1) % 4) for key in KEYS]
    with pytest.raises(ClusterError, match=r"the keys of app-users-changelog are placed neither by .*streamapp reset"):
        move_of("users", "app-users-changelog", elsewhere, 4, 6)


def test_a_plan_says_what_would_be_done() -> None:
    move = move_of("users", "app-users-changelog", placed(LIBRDKAFKA, 4), 4, 8)
    plan = Plan({"users": (4, 8)}, [move], Counter(clicks=1_200))
    assert list(plan) == [
        "users: partitions are added, from 4 to 8",
        f"users: {move.moved} of 100 rows of app-users-changelog move, from 4 to 8 partitions (keys are placed by "
        f"{LIBRDKAFKA})",
        "clicks: 1,200 records are not read yet that lie in the partitions where their keys were before",
    ]
    assert not plan.empty
    assert Plan().empty
