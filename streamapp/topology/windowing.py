"""Windows of one stream on Kafka: what is declared, what runs it, and what its results are as records.

per_ip = transactions.window(tumbling("1m"), by="ip", grace="10s").agg(n=Count(), total=Sum("amount"))
per_ip.to(app.sink("ip_minutes"))

A window is a join with one source: `JoinProcessor` runs it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Protocol, cast

import msgspec

from streamapp.formats.format import FormatDeclaration
from streamapp.joins import SideOutput
from streamapp.kafka.record import Envelope, Headers, Result
from streamapp.runtime.batch import Batch
from streamapp.runtime.inputs import Input
from streamapp.topology.base import JoiningApp
from streamapp.topology.corrections import marks_of
from streamapp.topology.declaration import Declaration, SinkLike, checked, one_of
from streamapp.topology.processor import JoinProcessor
from streamapp.topology.side_outputs import by_reason
from streamapp.topology.sink import NO_HEADERS, MakeValue, Sink, json_value
from streamapp.windows.aggregate import ANYTHING, Aggregate, Held, Value
from streamapp.windows.emission import Emission
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate, Windows

__all__ = ["Bounds", "WindowDeclaration", "WindowProcessor", "WindowedStream"]


class Bounds(enum.StrEnum):
    """Where a result has its key and the start and end of its window."""

    #: In the JSON of the value.
    VALUE = "value"
    #: Start and end (ms) in the headers ``window_start`` and ``window_end``; the key is the record's.
    HEADERS = "headers"


class Opened(Protocol):
    """An operator that can be asked for the windows which are open."""

    def windows(self, key: bytes) -> Iterator[Windowed]:
        """Go through those of a key as they are now, the earliest first."""
        ...


class ResultValues:
    """Makes the values of results: JSON objects of the aggregates by their names.

    With the bounds in the value, ``key``, ``start`` and ``end`` (ms) go before them. A session that is no more, since
    its bounds have changed, has null for each aggregate.

    Args:
        names: of the aggregates.
        bounds: where key, start and end are.
        marked: whether a value says if it is ``final``.

    Raises:
        ValueError: if an aggregate has the name of one of these fields.
    """

    def __init__(self, names: Sequence[str], bounds: Bounds, *, marked: bool) -> None:
        before = ("key", "start", "end") if bounds is Bounds.VALUE else ()
        self._own = (*before, "final") if marked else before
        if taken := [name for name in names if name in self._own]:
            raise ValueError(f"results have a {taken[0]} of their own: give the aggregate another name")
        self._bounds, self._marked = bounds, marked
        self._nothing = (None,) * len(names)
        slots = [f"_{number}" for number in range(len(self._own) + len(names))]
        self._make = msgspec.defstruct(
            "Value", [(slot, ANYTHING) for slot in slots], rename=dict(zip(slots, [*self._own, *names], strict=True))
        )
        self._encode = msgspec.json.Encoder().encode

    def __call__(self, result: Windowed) -> bytes:
        """Return the value of a result."""
        values = self._nothing if result.values is None else result.values
        if self._bounds is Bounds.HEADERS:
            own: tuple[Value, ...] = (result.final,) if self._marked else ()
        else:
            own = (result.key.decode(errors="backslashreplace"), result.start, result.end)
            own = (*own, result.final) if self._marked else own
        return self._encode(self._make(*own, *values))


@dataclasses.dataclass(eq=False)
class WindowSink(Sink[Windowed]):
    """Sends the results of windows to a topic."""

    bounds: Bounds = Bounds.VALUE

    def send(self, batch: Batch, results: Sequence[Windowed]) -> None:
        """Send results of a batch once the agent is done with it."""
        value: MakeValue = json_value if self.value is None else self.value
        records: list[Result] = []
        marks = marks_of(results)
        for result in results:
            headers: Headers = NO_HEADERS
            if self.bounds is Bounds.HEADERS:
                headers = [("window_start", b"%d" % result.start), ("window_end", b"%d" % result.end)]
            made = value(result)
            if made is not None and type(made) is not bytes:
                made = msgspec.json.encode(made)
            if marks:
                headers = [*marks.get(id(result), ()), *headers]
            records.append((Envelope(result.key, result.timestamp, headers, result), made))
        self.output.send(batch, records, origin=self._origin)


def result_values(windows: WindowDeclaration) -> ResultValues:
    """Return what makes the JSON of the results of windows, with key, start and end in it."""
    join = cast(WindowedAggregate, windows.join)
    return ResultValues(list(join.aggregates), Bounds.VALUE, marked=join.emission is Emission.BOTH)


class WindowProcessor(JoinProcessor[Windowed]):
    """Windows on Kafka; their state can be looked at, as the results that the open windows have so far."""

    noun: ClassVar[str] = "window"

    def open_windows(self, partition: int, key: bytes) -> list[Windowed]:
        """Return the open windows of a key as they are now, the earliest first.

        Raises:
            KeyError: if this worker does not have the partition.
        """
        return list(cast(Opened, self._task(partition).operator).windows(key))

    @property
    def shown(self) -> ResultValues:
        """Makes JSON of them."""
        names = list(cast(WindowedAggregate, self.join).aggregates)
        return ResultValues(names, Bounds.VALUE, marked=False)


@dataclasses.dataclass(eq=False)
class WindowDeclaration(Declaration[Windowed]):
    """Aggregates of a stream's windows; `to` says where the results go, and makes them a part of the app."""

    runs = WindowProcessor

    def to(
        self,
        output: SinkLike,
        *,
        bounds: Bounds | str = Bounds.VALUE,
        value: Callable[[Windowed], object] | None = None,
        late: SinkLike | None = None,
        partly_late: SinkLike | None = None,
        null_key: SinkLike | None = None,
        rejected: SinkLike | None = None,
        tell: Callable[[SideOutput], None] | None = None,
        format: FormatDeclaration | None = None,  # noqa: A002
        key_format: FormatDeclaration | None = None,
    ) -> WindowProcessor:
        """Send the results to a topic, and each record that does not count to another one, if it is named.

        A result has the key of its records, so that all results of a key are in one partition, in their order, and can
        be joined or windowed again without a repartitioning; and the event time of the latest record of its window.

        Args:
            output: the topic: its name without the prefix, a declared topic, or a sink; the others likewise. Without a
                name of its own the window has the topic's.
            bounds: where the start and the end of the window are: in the value, ``{"key": …, "start": …, "end": …,
                "n": …}``, or in headers. If both final results and updates were asked for, a value has ``final``, too.
            value: makes the value of a result, instead: bytes, None (a tombstone), or what becomes JSON.
            late: takes the records that came after all of their windows were closed.
            partly_late: those that came after some of them; they count in the others.
            null_key: those without a key.
            rejected: those without a value, or that the aggregates refuse. Of those that cannot be counted and for
                which no topic is named, all go to the dead letters.
            tell: called with each of these records, wherever it goes.
            format, key_format: what values and keys are written as; None = as the topic declares, else JSON and text.

        Raises:
            JoinError: if there is a window, a join or a table of this name already, or the bounds cannot be.
        """
        sink = self.app.sink(output, format=format, key_format=key_format)
        self.name = self.name or sink.topic.removeprefix(self.app.settings.topic_prefix)
        join = cast(WindowedAggregate, self.join)
        where, marked = one_of(Bounds, bounds, "bounds"), join.emission is Emission.BOTH
        make = value or checked(ResultValues, list(join.aggregates), where, marked=marked)
        sides = {"late": late, "partly_late": partly_late, "null_key": null_key, "rejected": rejected}
        outputs = by_reason({name: self.app.sink(side) for name, side in sides.items() if side is not None})
        processor = cast(WindowProcessor, self.processor(outputs, tell))
        processor.into(WindowSink(sink, make, topics=self.topics, bounds=where))
        return processor


@dataclasses.dataclass(frozen=True)
class WindowedStream:
    """The records of a topic in windows; `agg` says what is made of those of each key and window."""

    app: JoiningApp
    input: Input
    windows: Windows
    grace: int
    emission: Emission
    every: int | None
    idle_timeout: int | None
    name: str

    def agg(self, **aggregates: Aggregate[Held]) -> WindowDeclaration:
        """Make aggregates of the records of each key and window, by the names that they have in the results.

        Raises:
            JoinError: if there are none, or they do not go together with the windows.
        """
        join = checked(
            WindowedAggregate,
            windows=self.windows,
            aggregates=aggregates,
            grace=self.grace,
            emission=self.emission,
            every=self.every,
        )
        return WindowDeclaration(self.app, self.name, join, [self.input], self.idle_timeout)
