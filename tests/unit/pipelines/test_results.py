"""What the click join writes, byte by byte: the raw JSON of both sides, between its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from streamapp.joins import Reason, Row
from streamapp.pipelines.clicks.models import Joined, Unmatched
from streamapp.pipelines.clicks.results import joined, reason_of, unmatched

CLICK: Any = SimpleNamespace(value=b'{"click_id": "c\\u00e9",  "user_id":"u","url":"/","more":[1.0,{}]}')
PROFILE = Row(b'{"user_id":"u",\t"name":"n"}', 5)


def test_a_result_has_the_bytes_of_click_and_profile_and_the_time_of_the_join() -> None:
    ((click, value),) = joined([(CLICK, PROFILE)], 1731000000.25)
    assert value == b'{"click":%b,"profile":%b,"join_timestamp":1731000000.250000}' % (CLICK.value, PROFILE.value)
    assert msgspec.json.decode(value, type=Joined).join_timestamp == 1731000000.25
    assert click is CLICK


def test_a_click_without_a_profile_has_null_in_its_place() -> None:
    ((_, value),) = joined([(CLICK, None)], 1.5)
    assert msgspec.json.decode(value or b"")["profile"] is None


def test_results_are_in_the_order_of_the_clicks() -> None:
    clicks: list[Any] = [SimpleNamespace(value=b"%d" % number) for number in range(3)]
    assert [click for click, _ in joined(((click, PROFILE) for click in clicks), 0.0)] == clicks


def test_an_unmatched_click_has_its_bytes_and_the_reason() -> None:
    for reason in (Reason.UNMATCHED, Reason.EXPIRED):
        written = unmatched(CLICK.value, reason)
        value = msgspec.json.decode(written, type=Unmatched)
        assert (bytes(value.click), value.reason, reason_of(written)) == (CLICK.value, reason, reason)


def test_the_reason_no_profile_of_an_earlier_version_is_unmatched() -> None:
    assert reason_of(b'{"click":{},"reason":"no_profile"}') is Reason.UNMATCHED
