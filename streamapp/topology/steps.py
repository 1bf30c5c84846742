"""Functions of a stream as they are declared: steps on its records, a function with a state, and where it goes.

orders = app.topic("orders", type=Order)
large, small = orders.filter(is_paid).branch(is_large)
large.process(alarm, state=Seen, on_timer=silent).to("alarms")

Steps run in one pass over each batch: before a join, a window or a function with a state, or before a topic. Through an
internal topic goes what gets other keys (`rekey`), and what has a state already and is joined once more.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable
from typing import ClassVar, Final, Self, TypeVar, cast

from streamapp.formats.fields import Field
from streamapp.formats.format import FormatDeclaration
from streamapp.formats.serde import Read, Serde
from streamapp.functions.context import Context, Emitted, Timer
from streamapp.functions.process import Process
from streamapp.functions.record import TypedRecord
from streamapp.functions.steps import Branch, Filter, FlatMap, Map, Rekey, Step
from streamapp.joins import Record, SideOutput
from streamapp.runtime.batch import BatchSchema
from streamapp.runtime.inputs import Input
from streamapp.runtime.output import Output
from streamapp.settings import Guarantee, OnFailure
from streamapp.topology.base import JoiningApp
from streamapp.topology.declaration import Declaration, Duration, SinkLike, milliseconds, timeout
from streamapp.topology.decoding import Decode, decoder
from streamapp.topology.ends import End, value_of
from streamapp.topology.processor import JoinError, JoinProcessor
from streamapp.topology.repartition import KeyOf
from streamapp.topology.roots import Part, ResultRoot, Results, StepsBefore, TopicRoot
from streamapp.topology.side_outputs import by_reason
from streamapp.topology.step_agent import StepAgent
from streamapp.windows.aggregate import ANYTHING, Form, Value

__all__ = ["Steps"]

S = TypeVar("S")
T = TypeVar("T")

#: What a name of a topic cannot have.
NO_PART: Final = re.compile(r"[^A-Za-z0-9._-]")
JSON: Final = decoder(ANYTHING)


class ProcessProcessor(JoinProcessor[Emitted]):
    """A function with a state on Kafka."""

    noun: ClassVar[str] = "process"


class ProcessDeclaration(Declaration[Emitted]):
    """A function with a state, of the records of topics."""

    runs = ProcessProcessor


class Steps:
    """A stream: the records of a topic, or what came of them. Each method returns another stream, and leaves this one.

    A function gets a `TypedRecord`. What it returns is a value, for a record with the same key, time and headers, or a
    record of its own; a value becomes JSON, bytes go as they are, and None deletes. It is not called for a record
    without a value, which is handed on: it deletes where a table follows. If it raises `Refused`, the record is
    rejected and told; with any other error, too, and with the traceback, unless ``STREAMAPP_ON_FAILURE`` is ``stop``.
    """

    app: JoiningApp
    check: Callable[[Record], None] | None
    #: Gives the values of its records, if a type is declared.
    decoded_by: Decode | None = None
    keyed_by: str
    #: From where and through which steps the records come; none = they are those of the topic.
    _ways: tuple[Part, ...] = ()
    #: The topic that they go through where they are joined.
    _through: Self | None = None

    def map(self, function: Callable[[TypedRecord[Value]], Value], *, type: Form = None) -> Self:  # noqa: A002
        """Make a record of each one; `type` is that of the values, for what decodes them behind an internal topic."""
        return self._then(Map(function), type)

    def filter(self, function: Callable[[TypedRecord[Value]], object]) -> Self:
        """Go on with the records for which a function says something true."""
        return self._go_on(Filter(function))

    def flat_map(self, function: Callable[[TypedRecord[Value]], Iterable[Value]], *, type: Form = None) -> Self:  # noqa: A002
        """Make any number of records of each one; `type` as in `map`."""
        return self._then(FlatMap(function), type)

    def branch(self, *conditions: Callable[[TypedRecord[Value]], object]) -> tuple[Self, ...]:
        """Part the records: a stream for each condition, of those for which it holds first, and one of the rest."""
        every = (*conditions, lambda _record: True)
        return tuple(self._go_on(Branch(every, number)) for number in range(len(every)))

    def merge(self, *others: Self) -> Self:
        """Put the records of streams together, in the order of their event times; of topics with as many partitions."""
        ways = tuple(way for stream in (self, *others) for way in stream.ways)
        decodes = {stream.decoded_by for stream in (self, *others)}
        return self._stream(ways, self.decoded_by if len(decodes) == 1 else None, "")

    def side(self, name: str) -> Self:
        """Return what a function with a state has emitted for a side output.

        Raises:
            JoinError: if this is not what comes of such a function.
        """
        match self._ways:
            case (Part(ResultRoot(results, ""), ()),) if results.sides is not None:
                results.sides.add(name)
                return self._stream((Part(ResultRoot(results, name)),), None, "")
        raise JoinError(f"side({name!r}) is of what comes of process(…), before any other step")

    def process(
        self,
        function: Callable[[TypedRecord[Value], Context[S]], None],
        *,
        state: type[S],
        initial: Callable[[], S] | None = None,
        on_timer: Callable[[Timer, Context[S]], None] | None = None,
        ttl: Duration | None = None,
        grace: Duration | None = None,
        idle_timeout: Duration | None = None,
        name: str = "",
        type: Form = None,  # noqa: A002
        late: SinkLike | None = None,
        null_key: SinkLike | None = None,
        rejected: SinkLike | None = None,
        tell: Callable[[SideOutput], None] | None = None,
    ) -> Self:
        """Call a function with the state of the key for each record; what it emits is the stream that is returned.

        Args:
            function: gets the record and a `Context`, which has the state and timers, and takes results.
            state: the type of a key's state, which msgspec can write; it is kept in a table with a changelog.
            initial: makes the state of a key that has none; by default ``state()``.
            on_timer: gets a timer that is over and the context.
            ttl: how long, in event time, a state lives after its last change; None = for ever.
            grace: how far a record may be behind the event clock, and timers of event time are over so much later;
                None = no record is late.
            idle_timeout: after how long a silence of a partition event time goes on with the wall clock, for timers.
            name: its state is kept under it; by default it is made of the topics' names.
            type: that of the values that it emits, for what decodes them behind an internal topic.
            late: takes the records that came after the grace; a topic, as in `to`; the others likewise.
            null_key: those without a key.
            rejected: those without a value, or at which the function failed. What cannot be processed and has no topic
                goes to the dead letters.
            tell: called with each of these.

        Raises:
            JoinError: for arguments that do not go together.
        """
        sides, app = set[str](), self.app
        try:
            process = Process(
                function=function,
                state=state,
                initial=initial,
                on_timer=on_timer,
                ttl=None if ttl is None else milliseconds(ttl),
                grace=None if grace is None else milliseconds(grace),
                sides=sides,
                stop=self._stops,
            )
        except ValueError as exc:
            raise JoinError(str(exc)) from None
        inputs = self._inputs(encoded=False)
        topics = dict.fromkeys(each.topic.removeprefix(app.settings.topic_prefix) for each in inputs)
        idle = timeout(idle_timeout)
        declaration = ProcessDeclaration(app, name or "-".join([*topics, "process"]), process, inputs, idle)
        named = {"late": late, "null_key": null_key, "rejected": rejected}
        outputs = by_reason({side: app.sink(output) for side, output in named.items() if output is not None})
        results = Results(declaration, outputs, tell, sides)
        return self._stream((Part(ResultRoot(results)),), None if type is None else decoder(type), "")

    def to(
        self,
        output: SinkLike,
        *,
        format: FormatDeclaration | None = None,  # noqa: A002
        key_format: FormatDeclaration | None = None,
    ) -> None:
        """Send the records to a topic: its name without the prefix, a declared topic, or a sink; as in `App.sink`."""
        self._end(End(self.app.sink(output, format=format, key_format=key_format)))

    @property
    def name(self) -> str:
        """The full name of the topic."""
        raise NotImplementedError

    @property
    def serde(self) -> Serde | None:
        """What the keys and values of the topic are; None = text and JSON."""
        raise NotImplementedError

    @property
    def ways(self) -> tuple[Part, ...]:
        """From where and through which steps the records come."""
        if self._ways:
            return self._ways
        check = None if self.check is self.decoded_by else self.check
        return (Part(TopicRoot(self.name, self.decoded_by or JSON, check, self.read)),)

    @property
    def read(self) -> Read | None:
        """Makes of a record of the topic one with JSON and text; None = it is such a one."""
        return None if self.serde is None else Read(self.serde)

    def through(self, name: str = "") -> Self:
        """Return the records once more in an internal topic, by their keys, so that they can be joined and windowed.

        That is done by itself where it has to be; here a part of its name can be given, which is by default made of the
        names of what the records come from.

        Raises:
            JoinError: if there is another stream of this name already.
        """
        if self._through is None or name:
            self._through = self._internal(name or self._named(), whole=False)
        return self._through

    def _rekeyed(self, key: KeyOf | str | None, name: str) -> Self:
        """Return the records once more in an internal topic, by new keys, or those that steps have given them."""
        stream, field = self, key if isinstance(key, str) else ""
        if key is not None:
            function = Field(key, required=True) if isinstance(key, str) else key
            stream = self._go_on(Rekey(function, value_of))
        named = "-by-".join(filter(None, (self._named(), name or field)))
        found = stream._internal(named, whole=True)  # noqa: SLF001 - of this class
        found.keyed_by = field
        return found

    def _internal(self, name: str, *, whole: bool) -> Self:
        app, name = self.app, re.sub(NO_PART, "_", name)
        topic = f"{app.settings.id}-{name}-repartition"
        if topic in app.declared.internal:
            raise JoinError(f"there are two streams named {name}: give one of them another name (rekey, through)")
        output = app.declared.internal[topic] = Output(app, topic)
        app.declared.hops[topic] = self._firsts()
        app.declared.read(topic)
        copied = self._one_each and app.settings.processing_guarantee is Guarantee.AT_LEAST_ONCE
        if copied:
            app.declared.copied.add(topic)
        self._end(End(output, rekeyed=True, copied=copied), whole=whole)
        found = cast(Self, app.subscription(topic, schema=BatchSchema()))
        found.check = found.decoded_by = self.decoded_by
        return found

    def begun(self, results: Results) -> Self:
        """Return the stream of the results of what is declared."""
        return self._stream((Part(ResultRoot(results)),), None, "")

    def _then(self, step: Step, type_: Form) -> Self:
        return self._stream(self._ways_with(step), None if type_ is None else decoder(type_), "")

    def _go_on(self, step: Step) -> Self:
        """Go on with records that stay as they are."""
        return self._stream(self._ways_with(step), self.decoded_by, self.keyed_by)

    def _ways_with(self, step: Step) -> tuple[Part, ...]:
        return tuple(Part(way.root, (*way.path, step)) for way in self.ways)

    def _stream(self, ways: tuple[Part, ...], decode: Decode | None, keyed_by: str) -> Self:
        stream = copy.copy(self)
        vars(stream).update(_ways=ways, _through=None, check=decode, decoded_by=decode, keyed_by=keyed_by)
        return stream

    def _end(self, end: End, *, whole: bool = False) -> None:
        """Have the records sent to an end; `whole`: those of all partitions of a topic in the order of their times."""
        topics: dict[str, None] = {}
        for root, path in self.ways:
            if isinstance(root, TopicRoot):
                topics[root.topic] = None
            else:
                root.results.add(root.side, path, end)
        if not topics:
            return
        names = tuple(topics)
        whole = whole and len(names) == 1
        agent = cast(StepAgent | None, self.app.step_agents.get((names, whole)))
        if agent is None:
            agent = self.app.step_agents[names, whole] = StepAgent(self.app, names, whole=whole)
        for root, path in self.ways:
            if isinstance(root, TopicRoot):
                agent.add(root, path, end)

    def _inputs(self, *, encoded: bool) -> list[Input]:
        """Take the stream for what something with a state reads: the topics, with the steps before."""
        ways = self.ways
        if not all(isinstance(way.root, TopicRoot) for way in ways):
            ways = self.through().ways
        stop, keys = self._stops, self.app.declared.keys
        return [
            Input(
                root.topic,
                number,
                steps=StepsBefore(root, path, encoded, stop),
                key=self.keyed_by,
                keys=keys(root.topic),
            )
            for number, (root, path) in enumerate(ways)
            if isinstance(root, TopicRoot)
        ]

    @property
    def _one_each(self) -> bool:
        """Whether there is at most one record for each of one topic, so that it can be told when it comes again."""
        root, path = self.ways[0]
        several = any(isinstance(step, FlatMap) for step in path)
        return len(self.ways) == 1 and isinstance(root, TopicRoot) and not several

    @property
    def _stops(self) -> bool:
        return self.app.settings.on_failure is OnFailure.STOP

    def _firsts(self) -> tuple[str, ...]:
        """Return the topics that the records are waited for in: of a join the streams, if there are any."""
        firsts: dict[str, None] = {}
        for root, _ in self.ways:
            if isinstance(root, TopicRoot):
                firsts[root.topic] = None
            else:
                topics, tables = root.results.declaration.topics, root.results.declaration.join.tables
                streams = [topic for source, topic in topics.items() if source not in tables]
                firsts |= dict.fromkeys(streams or topics.values())
        return tuple(firsts)

    def _named(self) -> str:
        names = dict.fromkeys(
            way.root.topic.removeprefix(self.app.settings.topic_prefix)
            if isinstance(way.root, TopicRoot)
            else "-".join(filter(None, (way.root.results.declaration.name, way.root.side)))
            for way in self.ways
        )
        return (
            "-".join(names)
            if len(names) > 1 or not isinstance(self.ways[0].root, TopicRoot)
            else f"{next(iter(names))}-steps"
        )
