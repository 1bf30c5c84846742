"""A state that was written by one function and is gone on with by another: it goes on, or is refused in a line."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from streamapp.functions import Context, Process, TypedRecord
from streamapp.joins import Driver, MemoryStore, State, StreamTableJoin
from streamapp.joins.declared import StateMismatch, earlier


class Total(msgspec.Struct):
    count: int = 0
    gone: int = 1


class Wider(msgspec.Struct):
    count: int = 0
    note: str = ""


class Other(msgspec.Struct):
    count: str = ""


def count(_record: TypedRecord[Any], context: Context[Any]) -> None:
    context.state.count += 1
    context.emit(context.state.count)


def alarm(_record: TypedRecord[Any], context: Context[Any]) -> None:
    context.set_timer(after=5)


def process(**settings: Any) -> Process[Any]:
    return Process(**{"function": count, "state": Total, **settings})


@pytest.fixture
def store() -> MemoryStore:
    """What is left of two records of a key."""
    store = MemoryStore()
    driver = Driver(process(), store)
    for at in (0, 5):
        driver.send(0, b"k", b"1", at)
    return store


def notes(now: Process[Any], store: MemoryStore) -> list[str]:
    return earlier(State(store), now)[1]


def test_a_state_goes_on_where_the_new_type_reads_it(store: MemoryStore) -> None:
    (note,) = notes(process(state=Wider), store)
    assert note.startswith("state Total ")
    assert [one.record.value for one in Driver(process(state=Wider), store).send(0, b"k", b"1", 6).results] == [3]


def test_a_state_that_the_new_type_does_not_read_is_refused_by_key_and_place(store: MemoryStore) -> None:
    error = "the state of the key b'k' is not of the type Other: Expected `str`, got `int` - at `$.count`"
    with pytest.raises(StateMismatch, match=re.escape(error)):
        Driver(process(state=Other), store)


def test_a_ttl_can_be_another_one_which_is_told(store: MemoryStore) -> None:
    assert notes(process(ttl=60_000), store) == ["ttl none → 1m: what was deleted before stays deleted"]
    assert [one.record.value for one in Driver(process(ttl=60_000), store).send(0, b"k", b"1", 6).results] == [3]
    assert [one.record.value for one in Driver(process(ttl=60_000), store).send(0, b"k", b"1", 60_007).results] == [1]


def test_the_code_of_the_function_may_change(store: MemoryStore) -> None:
    assert notes(process(function=alarm), store) == []


def test_timers_need_somebody_to_call() -> None:
    store = MemoryStore()
    Driver(process(function=alarm, on_timer=lambda *_: None), store).send(0, b"k", b"1", 0)
    with pytest.raises(StateMismatch, match="it has timers, and there is nothing to call when they are over"):
        Driver(process(function=alarm), store)


def test_a_state_of_a_join_is_refused() -> None:
    store = MemoryStore()
    Driver(StreamTableJoin(), store).send(0, b"k", b"1", 0)
    with pytest.raises(StateMismatch, match=r"it is that of a join of a stream with .*, and not of a process"):
        Driver(process(), store)
