"""Steps behind what has a state: each result goes its way, in order, and what one fails on is a dead letter."""

from __future__ import annotations

from typing import Any, cast

import pytest
from faust.types import TP

from streamapp.functions.context import Emitted
from streamapp.functions.record import TypedRecord
from streamapp.functions.steps import Filter, Map, Path
from streamapp.joins import Event, Joined
from streamapp.runtime.batch import Batch
from streamapp.runtime.output import DeadLetters, Output
from streamapp.topology.ends import End
from streamapp.topology.step_sink import StepSink

KEY = b"k"


@pytest.fixture
def batch() -> Batch:
    return Batch(TP("numbers", 3), [cast(Any, Event(KEY, b"1", 5, 7))])


def sink(*ways: tuple[str, Path, End], stop: bool = False) -> StepSink[Any]:
    app = cast(Any, None)
    found: StepSink[Any] = StepSink(
        ways[0][2].output, topics={0: "numbers"}, dead_letters=DeadLetters(app, "dead"), stop=stop
    )
    for way in ways:
        found.add(*way)
    return found


def end(topic: str = "out") -> End:
    return End(Output(cast(Any, None), topic))


def emitted(value: Any, side: str = "", key: bytes = KEY) -> Emitted:
    return Emitted(TypedRecord(key, value, 5, origin=Event(KEY, b"1", 5, 7)), KEY, side)


def sent(batch: Batch) -> dict[str, list[bytes | None]]:
    return {results.output.topic: [value for _, value in results.results] for results in batch.work.results}


def test_results_and_side_outputs_go_their_ways(batch: Batch) -> None:
    steps = sink(("", (Map(lambda one: one.value + 1),), end()), ("aside", (), end("aside")))
    steps.send(batch, [emitted(1), emitted(2, "aside"), emitted(3), emitted(4, "nowhere")])
    assert sent(batch) == {"out": [b"2", b"4"], "aside": [b"2"]}


def test_ways_that_come_together_again_keep_the_order(batch: Batch) -> None:
    both = end()
    even, odd = Filter(lambda one: one.value % 2 == 0), Filter(lambda one: one.value % 2)
    sink(("", (even,), both), ("", (odd,), both)).send(batch, [emitted(n) for n in range(5)])
    assert sent(batch) == {"out": [b"0", b"1", b"2", b"3", b"4"]}


def test_a_result_with_another_key_than_it_was_made_for_is_sent_by_its_key(batch: Batch) -> None:
    sink(("", (), end())).send(batch, [emitted(1)])
    sink(("", (), end())).send(batch, [emitted(1), emitted(1, key=b"other")])
    assert [results.rekeyed for results in batch.work.results] == [False, True]


def test_what_a_step_fails_on_is_a_dead_letter_of_the_record_that_gave_the_result(batch: Batch) -> None:
    steps = sink(("", (Map(lambda one: 1 / one.value),), end()))
    steps.send(batch, [emitted(0), emitted(1)])
    (rejected,) = batch.work.rejected
    assert (rejected.tp, rejected.record.offset, rejected.reason) == (TP("numbers", 3), 7, "agent_failed")
    assert "ZeroDivisionError" in rejected.traceback
    assert sent(batch) == {"out": [b"1.0"]}


def test_what_a_step_fails_on_ends_the_worker_if_it_is_to_stop(batch: Batch) -> None:
    with pytest.raises(ZeroDivisionError):
        sink(("", (Map(lambda one: 1 / one.value),), end()), stop=True).send(batch, [emitted(0)])


def test_a_join_gives_records_whose_values_are_its_results(batch: Batch) -> None:
    left, right = Event(KEY, b'{"n":1}', 5, 7), Event(KEY, b"2", 5, 8)
    steps = sink(("", (), end()), ("", (Map(lambda one: one.value.right.value),), end("right")))
    steps.send(batch, [Joined(KEY, left, right, 5)])
    assert sent(batch) == {"out": [b'{"left":{"n":1},"right":2}'], "right": [b"2"]}
