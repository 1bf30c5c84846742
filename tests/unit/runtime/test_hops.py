"""What a partition waits for that is written from another topic: all that comes before, the first one first."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from faust.types import TP

from streamapp.runtime.hops import Hops

FIRST = {"by_user": ("orders",), "totals": ("by_user",), "of_table": ("joined",), "merged": ("by_user", "clicks")}


def hops(**joined: tuple[str, ...]) -> Hops:
    alignment = cast(Any, SimpleNamespace(joined=joined))
    return Hops(FIRST, cast(Any, None), alignment, cast(Any, None), asyncio.Event(), 1.0)


def test_several_hops_are_waited_for_one_after_the_other() -> None:
    assert hops().over([TP("totals", 0), TP("users", 0)]) == ("orders", "by_user")


def test_all_that_are_merged_are_waited_for() -> None:
    assert hops().over([TP("merged", 0)]) == ("orders", "by_user", "clicks")


def test_what_is_aligned_with_a_partition_is_not_waited_for_as_it_waits_itself() -> None:
    assert hops(of_table=("joined", "of_table", "table")).over([TP("of_table", 0)]) == ()


def test_a_topic_that_is_written_from_no_other_waits_for_nothing() -> None:
    assert hops().over([TP("orders", 0)]) == ()
