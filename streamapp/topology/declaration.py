"""A join as it is declared: what is joined how, before it is said where the results go."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, Generic, TypeVar

import faust

from streamapp.explain.lineage import Lineage
from streamapp.formats.format import FormatDeclaration
from streamapp.joins import Join, Reason, SideOutput, WindowedReduce
from streamapp.runtime.inputs import Input
from streamapp.runtime.output import Output
from streamapp.topology.base import JoiningApp
from streamapp.topology.join_watch import JoinWatch
from streamapp.topology.processor import JoinError, JoinProcessor
from streamapp.topology.side_outputs import SideOutputs, by_reason
from streamapp.topology.sink import MakeValue, Sink
from streamapp.windows import durations
from streamapp.windows.durations import Duration

__all__ = [
    "Declaration",
    "Duration",
    "JoinDeclaration",
    "OperatorDeclaration",
    "OperatorProcessor",
    "SinkLike",
    "checked",
    "declare",
    "milliseconds",
    "named",
    "one_of",
    "timeout",
]

K = TypeVar("K", bound=enum.StrEnum)
R = TypeVar("R")

#: How a topic for results is named.
SinkLike = str | faust.Topic | Output

#: 300 years (ms): an event time, and so much more or less, is still a number of 64 bits.
LONGEST_MS: Final = 10**13

NONE: Final[Mapping[Reason, Output]] = MappingProxyType({})


def milliseconds(duration: Duration) -> int:
    """Return a duration in whole milliseconds.

    Raises:
        JoinError: for what is none, or one of more than 300 years.
    """
    try:
        found = durations.milliseconds(duration)
    except ValueError as exc:
        raise JoinError(str(exc)) from None
    if abs(found) > LONGEST_MS:
        raise JoinError(f"a duration of {found:,} ms is longer than the 300 years that are allowed")
    return found


@dataclasses.dataclass(eq=False)
class Declaration(Generic[R]):
    """What runs on the records of topics, before it is a part of the app."""

    app: JoiningApp
    #: Of the join, and of the table with its state.
    name: str
    join: Join[R]
    #: The topics; at equal times those first that go first.
    inputs: Sequence[Input]
    #: After how long (ms) without a record event time goes on by itself while something waits for it; None = never.
    idle_timeout: int | None = None
    #: What has to be set before the first record is joined.
    needs: Sequence[asyncio.Event] = ()
    #: What runs it.
    runs: ClassVar[type[JoinProcessor[Any]]] = JoinProcessor

    @property
    def topics(self) -> dict[int, str]:
        """The topic of each source."""
        return {each.source: each.topic for each in self.inputs}

    @property
    def origins(self) -> Mapping[int, str]:
        """The topic that the records of each source are from, with their offsets."""
        return self.topics

    def processor(
        self, outputs: Mapping[Reason, Output] = NONE, tell: Callable[[SideOutput], None] | None = None
    ) -> JoinProcessor[R]:
        """Make it a part of the app, with its side outputs; the results are for whoever reads its channel.

        Raises:
            JoinError: if there is one, or a table, of this name already.
        """
        app, noun = self.app, self.runs.noun
        for other in app.joins:
            if other.name == self.name:
                article = "an" if other.noun[0] in "aeiou" else "a"
                raise JoinError(f"there is {article} {other.title} already: give the {noun} another name, by name=…")
        if self.name in app.tables:
            raise JoinError(f"there is a table named {self.name}: give the {noun} another name, by name=…")
        title = f"{noun} {self.name}"
        watch = JoinWatch(title, self.join, self.topics)
        # What is to go to the dead letters goes there as they are written.
        named = {reason: output for reason, output in outputs.items() if output.topic != app.dead_letters.topic}
        sides = SideOutputs(app.dead_letters, title, self.origins, named, watch, tell)
        processor = self.runs(app, self.name, self.join, self.inputs, sides, watch, self.idle_timeout, self.needs)
        app.joins.append(processor)
        watch.begin(app.watch, processor)
        app.explain(processor)
        return processor


class OperatorProcessor(JoinProcessor[R]):
    """An operator of one stream on Kafka that is not the library's own."""

    noun: ClassVar[str] = "operator"


class JoinDeclaration(Declaration[R]):
    """What is joined how; `to` says where the results go, and makes the join a part of the app."""

    def to(
        self,
        output: SinkLike,
        *,
        value: Callable[[R], object] | None = None,
        unmatched: SinkLike | None = None,
        late: SinkLike | None = None,
        expired: SinkLike | None = None,
        null_key: SinkLike | None = None,
        rejected: SinkLike | None = None,
        tell: Callable[[SideOutput], None] | None = None,
        lineage: bool = False,
        format: FormatDeclaration | None = None,  # noqa: A002
        key_format: FormatDeclaration | None = None,
    ) -> JoinProcessor[R]:
        """Send the results to a topic, and each record that is not matched to another one, if it is named.

        A result has the key and the event time that the join gives it. If it is of a stream record alone, or of that
        with rows, it has the record's headers.

        Args:
            output: the topic: its name without the prefix, a declared topic, or a sink; the others likewise.
            value: makes the value of a result: bytes, None (a tombstone), or what becomes JSON. By default
                ``{"left": …, "right": …}`` of the values, which are taken for JSON.
            unmatched: takes records that have no partner and will have none.
            late: those that came after the grace.
            expired: those whose row is older than its TTL, and updates older than the history.
            null_key: those without a key.
            rejected: those without a value, or that are refused or superseded. Of those that cannot be joined and for
                which no topic is named, all but the superseded ones go to the dead letters.
            tell: called with each record that is not matched, wherever it goes.
            lineage: whether results have headers that name the records they are made of (`Lineage`).
            format: what the values of the results are written as; None = as the topic declares, else JSON.
            key_format: what their keys are written as.

        Raises:
            JoinError: if there is a join of this name already, or lineage is asked for of windows that are reduced.
        """
        if lineage and isinstance(self.join, WindowedReduce):
            raise JoinError("lineage=True: what a window is reduced to is made of many records, and names none")
        sides = {"unmatched": unmatched, "late": late, "expired": expired, "null_key": null_key, "rejected": rejected}
        outputs = by_reason({name: self.app.sink(side) for name, side in sides.items() if side is not None})
        processor = self.processor(outputs, tell)
        results = self.app.sink(output, format=format, key_format=key_format)
        processor.into(self.sink(results, value, Lineage(self.topics) if lineage else None))
        return processor

    def sink(self, output: Output, value: MakeValue | None, lineage: Lineage | None) -> Sink[R]:
        """Make what sends the results to a topic."""
        return Sink(output, value, lineage=lineage, topics=self.topics)


class OperatorDeclaration(JoinDeclaration[R]):
    """An operator of a stream; `to` says where the results go, and makes it a part of the app."""

    runs = OperatorProcessor


def one_of(kinds: type[K], given: str, argument: str) -> K:
    """Return the one of some kinds that an argument names."""
    try:
        return kinds(given)
    except ValueError:
        raise JoinError(f"{argument}={given!r} is none of {', '.join(kinds)}") from None


def timeout(idle_timeout: Duration | None) -> int | None:
    """Return an idle timeout in ms; None = there is none."""
    found = None if idle_timeout is None else milliseconds(idle_timeout)
    if found is not None and found <= 0:
        raise JoinError(f"the idle timeout must be more than nothing, but is {found} ms")
    return found


def checked(make: Callable[..., R], *args: object, **settings: object) -> R:
    """Make a join of the library, which knows what goes together."""
    try:
        return make(*args, **settings)
    except ValueError as exc:
        raise JoinError(str(exc)) from None


def declare(
    app: JoiningApp, name: str | None, join: Join[R], *inputs: Input, idle_timeout: Duration | None = None
) -> JoinDeclaration[R]:
    """Declare a join of topics, by default named after them."""
    name = name or named(inputs, app.settings.topic_prefix)
    return JoinDeclaration(app, name, join, inputs, timeout(idle_timeout))


def named(inputs: Sequence[Input], prefix: str) -> str:
    """Name a join after its topics, in the order of its sides."""
    topics = [each.topic.removeprefix(prefix) for each in sorted(inputs, key=lambda each: each.source)]
    return "-".join([*topics, "join"])
