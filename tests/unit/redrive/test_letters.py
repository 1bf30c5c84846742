"""What the headers of a letter say of its record, whatever headers the record has itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streamapp.formats.undecodable import Reason
from streamapp.joins import Event
from streamapp.joins.corrections import Mark
from streamapp.kafka.log_reader import Logged
from streamapp.redrive.letters import Letter, NoLetterError, Place, letter_of
from streamapp.redrive.redriving import NEAR, ranges
from streamapp.redrive.selection import Selection
from streamapp.runtime.copies import mark
from streamapp.runtime.output import DeadLetters
from streamapp.runtime.work import Rejected

PLACE = [("topic", b"orders"), ("partition", b"1"), ("offset", b"42"), ("reason", b"not_json")]
names = st.text(min_size=1, max_size=6).filter(lambda name: name not in {"traceback", "timestamp", "value_bytes"})
own_headers = st.lists(st.tuples(names, st.binary(max_size=5)), max_size=4)


def logged(headers: Any, *, key: bytes | None = b"k", value: bytes | None = b"{", timestamp: int = 1_000) -> Logged:
    message: Any = SimpleNamespace(headers=lambda: list(headers))
    return Logged(TP("dead_letters", 0), 17, timestamp, key, value, message)


def test_a_dead_letter_says_where_its_record_is_from_and_why_it_is_there() -> None:
    letter = letter_of(logged([*PLACE, ("error", b"bad \xff"), ("trace", b"1")]))
    assert letter.place == Place("dead_letters", 0, 17)
    assert letter.source == Place("orders", 1, 42)
    assert (letter.reason, letter.error) == ("not_json", "bad �")
    assert (letter.key, letter.value, letter.timestamp, letter.headers) == (b"k", b"{", 1_000, [("trace", b"1")])
    assert letter.whole
    assert letter.next_mark == Mark("dead_letters/0/17", "orders/1/42", 1)


def test_a_late_record_says_by_how_much() -> None:
    own = [("error", b"the record's own")]
    headers = [*PLACE[:3], ("reason", b"late"), ("late_by_ms", b"1200"), ("streamapp-join", b"join pairs"), *own]
    letter = letter_of(logged(headers))
    assert letter.reason == "late"
    assert letter.error == "late by 1200 ms"
    assert letter.headers == own
    assert letter.join == letter.next_mark.join == "join pairs"


def test_a_dead_letter_of_an_agent_that_failed_names_it_and_its_join() -> None:
    own = [("trace", b"1")]
    agent, join = ("streamapp-agent", b"shop.agents.count"), ("streamapp-join", b"join pairs")
    alone, joined = (letter_of(logged([*PLACE, ("error", b"bad"), *who, *own])) for who in ([agent], [join, agent]))
    assert (alone.by, alone.next_mark.join, alone.headers) == ("agent shop.agents.count", "", own)
    assert (alone.next_mark.agent, alone.next_mark.topic) == ("shop.agents.count", "orders")
    assert (joined.next_mark.agent, joined.next_mark.topic) == ("", "")
    assert (joined.by, joined.next_mark.join, joined.headers) == ("join pairs", "join pairs", own)
    assert Selection(by=["count"]).takes(alone)
    assert Selection(by=["other", "pairs"]).takes(joined)
    assert not Selection(by=["pairs"]).takes(alone)
    assert not Selection(by=[""]).takes(letter_of(logged([*PLACE, ("error", b"bad"), *own])))


def test_a_letter_from_an_internal_topic_is_no_copy_of_another_record_any_more() -> None:
    own, copy = [("trace", b"1")], mark(0, 7, b"id")
    letter = letter_of(logged([*PLACE, ("error", b"bad"), *own, copy]))
    assert letter.headers == own
    assert letter.as_it_came(logged([*own, copy])).headers == own


def test_records_that_are_near_each_other_are_read_together() -> None:
    assert ranges([]) == []
    assert ranges([3, 4, 4 + NEAR, 10 * NEAR]) == [(10 * NEAR, 10 * NEAR + 1), (3, 5 + NEAR)]


@given(own_headers)
def test_what_the_dead_letters_write_is_read_again(own: list[tuple[str, bytes]]) -> None:
    record: Any = SimpleNamespace(key=b"k", value=b"{", timestamp=5, offset=42, headers=own)
    letters = DeadLetters(SimpleNamespace(watch=SimpleNamespace(rejected=lambda _: None)), "dead_letters")  # type: ignore[arg-type]
    ((stamped, value),) = letters.letters([Rejected(TP("orders", 1), record, Reason.NOT_JSON, "bad")])
    letter = letter_of(logged(stamped.headers, key=stamped.key, value=value, timestamp=stamped.timestamp or 0))
    assert (letter.source, letter.reason, letter.error) == (Place("orders", 1, 42), "not_json", "bad")
    assert (letter.value, letter.timestamp) == (b"{", 5)
    assert letter.headers == own


def test_a_letter_that_was_redriven_before_counts_on() -> None:
    first = Mark("dead_letters/0/3", "orders/1/7", 1)
    letter = letter_of(logged([*PLACE, ("error", b"bad"), first.header(), ("trace", b"1")]))
    assert letter.mark == first
    assert letter.headers == [("trace", b"1")]
    assert letter.next_mark == Mark("dead_letters/0/17", "orders/1/7", 2)


@pytest.mark.parametrize("more", ["traceback", "timestamp", "value_bytes"])
def test_what_may_be_the_letters_or_the_records_is_not_whole(more: str) -> None:
    letter = letter_of(logged([*PLACE, ("error", b"bad"), (more, b"77"), ("trace", b"1")]))
    assert not letter.whole
    assert letter.headers == [("trace", b"1")]
    assert letter.timestamp == (77 if more == "timestamp" else 1_000)


def test_a_letter_whose_value_was_left_out_is_not_whole() -> None:
    headers = [*PLACE[:3], ("reason", b"too_large"), ("error", b"bad")]
    assert not letter_of(logged(headers, value=None)).whole
    assert letter_of(logged(headers)).whole


def test_the_record_at_its_place_is_taken_if_it_is_the_same() -> None:
    letter = letter_of(logged([*PLACE, ("error", b"bad"), ("traceback", b"mine?")], timestamp=1_000))
    record = logged([("traceback", b"mine?")], timestamp=1_000)
    assert letter.is_of(record)
    assert letter.as_it_came(record).headers == [("traceback", b"mine?")]
    assert letter.as_it_came(record).whole
    assert not letter.is_of(logged([], value=b"another", timestamp=2_000))


@pytest.mark.parametrize(
    "headers",
    [[], [("topic", b"a")], [("trace", b"1"), *PLACE], [*PLACE[:1], ("partition", b"x"), *PLACE[2:]]],
)
def test_what_is_no_letter_is_told(headers: Any) -> None:
    with pytest.raises(NoLetterError, match="dead_letters/0/17"):
        letter_of(logged(headers))


def test_a_mark_is_json() -> None:
    name, value = Mark("l/0/1", "o/0/2", 1).header()
    assert name == "streamapp-redriven"
    assert msgspec.json.decode(value) == {"letter": "l/0/1", "of": "o/0/2", "attempt": 1}


def letter(**changes: Any) -> Letter:
    given: dict[str, Any] = {
        "place": Place("dead_letters", 0, 17),
        "source": Place("orders", 1, 42),
        "reason": "late",
        "error": "",
        "timestamp": 1_000,
        "key": b"k",
        "value": b"{}",
        "headers": [],
    }
    return Letter(**{**given, **changes})


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        (Selection(), True),
        (Selection(reasons=("late", "expired")), True),
        (Selection(reasons=("expired",)), False),
        (Selection(since=1_000, until=1_001), True),
        (Selection(since=1_001), False),
        (Selection(until=1_000), False),
        (Selection(topics={"orders"}, partitions=(1,), offsets=(40, 42)), True),
        (Selection(topics={"views"}), False),
        (Selection(partitions=(0,)), False),
        (Selection(offsets=(43, 50)), False),
    ],
)
def test_letters_are_picked_by_reason_time_and_place(selection: Selection, taken: bool) -> None:
    assert selection.takes(letter()) is taken


def test_events_have_no_mark() -> None:
    assert not hasattr(Event(b"k", b"v", 1), "headers")


def test_letters_of_one_record_and_join_are_one_and_those_of_another_join_are_not() -> None:
    assert letter().identity == letter(place=Place("dead_letters", 1, 5)).identity
    assert letter().identity != letter(join="join pairs").identity
    assert letter(agent="shop.count").identity != letter(agent="shop.see").identity
    assert letter().identity != letter(source=Place("orders", 1, 43)).identity
    assert letter().identity != letter(written=2_000).identity  # the topic was made anew
    result = Place("joined", 1, -1)
    assert letter(source=result).identity != letter(source=result, place=Place("dead_letters", 1, 5)).identity
