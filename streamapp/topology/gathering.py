"""What carries questions for features by other keys, and the answers: see `streamapp.topology.enriching`.

All that one partition asks goes to the partitions of other keys in the order of the records; the answers come back to
that partition. Nothing is lost on the way: for a question or an answer that the broker refuses, for its size, there is
an answer that says so.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import defaultdict
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, cast

import msgspec
from faust.types import TP

from streamapp.joins import Record, Refused
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.refusals import RecordRefusedError, RefusedError
from streamapp.runtime.batch import Batch, BatchSchema
from streamapp.runtime.copies import Marked, mark, place, without_mark
from streamapp.runtime.cycles import Flow
from streamapp.runtime.inputs import Input
from streamapp.runtime.output import Output
from streamapp.runtime.work import Results
from streamapp.settings import Guarantee
from streamapp.topology.base import JoiningApp
from streamapp.topology.corrections import meant_for, unaddressed
from streamapp.topology.declaration import Declaration
from streamapp.topology.features import BY_KEY, FeatureFields, Features, Members, Usable
from streamapp.topology.processor import JoinError, JoinProcessor
from streamapp.topology.repartition import NO_PART
from streamapp.topology.sink import NO_HEADERS, Sink
from streamapp.windows.enrichment import Enrichment, Featured
from streamapp.windows.gathering import RECORDS, Answer, Gathering, Original
from streamapp.worker.growth import REPARTITIONING

__all__ = ["EnrichmentDeclaration", "EnrichmentProcessor", "enrichment", "gathering"]

ANSWERS: Final = 1
#: The header, before the mark of a copy, that names the groups which a record has asked; none, if it cannot be counted.
#: What the app had declared then counts, and not what it has when the record is waited with.
ASKED: Final = "streamapp-asked"
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_groups: Final = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class EnrichmentProcessor(JoinProcessor[Any]):
    """Features of records at work."""

    noun: ClassVar[str] = "enrichment"


@dataclasses.dataclass(eq=False)
class EnrichmentDeclaration(Declaration[Any]):
    """Features of a stream's records, before they are a part of the app."""

    runs = EnrichmentProcessor
    #: The topic that the records are from, if it is another one than that which is read.
    origin: str = ""

    @property
    def origins(self) -> Mapping[int, str]:
        """The topic that the records of each source are from, with their offsets."""
        return self.topics | ({RECORDS: self.origin} if self.origin else {})


def enrichment(features: Features, grace: int, names: Iterable[str]) -> Enrichment:
    """Return features of one key; values may not have fields of these names.

    Raises:
        JoinError: if they do not go together.
    """
    try:
        return Enrichment(features=features, grace=grace, fields=FeatureFields(features, names))
    except ValueError as exc:
        raise JoinError(str(exc)) from None


def gathering(
    app: JoiningApp, name: str, source: Input, groups: Mapping[str, Features], grace: int
) -> EnrichmentDeclaration:
    """Declare features by several keys; what asks for them, and what makes them, becomes a part of the app.

    Args:
        app: the app.
        name: of the enrichment.
        source: the topic.
        groups: the features by the fields that they are by.
        grace: how far (ms) a record may be behind the event clock of a group's partition.

    Raises:
        JoinError: if there is one of these names already.
    """
    usable = Usable(groups, source.check)
    about = f"{app.settings.id}-{name}"
    answers, records = _Answers(app, f"{about}-answers"), Output(app, f"{about}-records")
    questions = {}
    for by, features in groups.items():
        told = "key" if by == BY_KEY else re.sub(NO_PART, "_", by)
        output = questions[by] = _Questions(app, f"{about}-by-{told}-questions", answers, by)
        join = enrichment(features, grace, ())
        # Questions say of which record they are: at least once, some are there twice.
        processor = EnrichmentDeclaration(app, f"{name}-by-{told}", join, [Input(output.topic, 0)]).processor()
        processor.into(_AnswerSink(answers, group=by, members=Members(list(features))))
    _ask(app, source.topic, f"{EnrichmentProcessor.noun} {name}", records, questions, usable)
    app.declared.internal[answers.topic] = answers
    app.derived[answers.topic] = source.topic
    app.declared.alike |= dict.fromkeys((answers.topic, records.topic), source.topic)
    # A record begins to wait before it is told what is of the same time.
    inputs = [Input(records.topic, RECORDS, usable.check, _original), Input(answers.topic, ANSWERS)]
    join_ = Gathering(groups=tuple(groups), keyed=usable.keyed)
    return EnrichmentDeclaration(app, name, join_, inputs, origin=source.topic)


def _ask(
    app: JoiningApp, source: str, title: str, records: Output, questions: Mapping[str, _Questions], usable: Usable
) -> None:
    """Have an agent send records to where they wait, and their questions to where these are answered."""
    app.declared.read(source)
    internal = {output.topic: output for output in (records, *questions.values())}
    app.declared.internal |= internal
    app.declared.hops |= {output.topic: (source,) for output in questions.values()}
    app.derived[records.topic] = source
    if app.settings.processing_guarantee is Guarantee.AT_LEAST_ONCE:
        app.declared.copied |= internal.keys()
    all_groups = _encode(list(questions))

    async def run(batches: AsyncIterable[Batch]) -> None:
        async for arrived in batches:
            batch = meant_for(arrived, app.joins, title)
            topic_id = app.resumption.positions.ids.get(source, "").encode()
            waiting: defaultdict[int, list[Result]] = defaultdict(list)
            asked: dict[str, list[Result]] = {by: [] for by in questions}
            for number, record in enumerate(batch):
                tp = batch.source(number)
                try:
                    keys = usable(record)
                except Refused:
                    keys = {}  # it is told where it waits
                marked = mark(tp.partition, record.offset, topic_id)
                headers = [*unaddressed(without_mark(record.headers)), (ASKED, all_groups if keys else b""), marked]
                copy = Envelope(record.key, record.timestamp, headers, record, tp)
                waiting[tp.partition].append((copy, record.value))
                for by, key in keys.items():
                    asked[by].append((Envelope(key, record.timestamp, headers, record, tp), record.value))
            for partition, results in waiting.items():
                records.send_to(partition, batch, results)
            for by, output in questions.items():
                output.send(batch, asked[by], rekeyed=True)

    app.repartitions.append(Flow(f"the enrichment of {source}", [source], list(internal)))
    channel = app.subscription(source, schema=BatchSchema(merged=True, whole=True))
    app.agent(channel, name=f"{REPARTITIONING}{records.topic}")(run)


def _original(record: Record) -> Record:
    """Return the record that one in the topic of those that wait is a copy of."""
    copy: Any = record
    if (placed := place(copy)) is None:
        raise AssertionError(f"the record at {copy.offset} does not say of which one it is a copy")
    *own, (_, groups), _ = copy.headers
    return Original(copy.key, copy.value, copy.timestamp, placed[1], own, _groups(groups))


@functools.lru_cache
def _groups(names: bytes) -> tuple[str, ...]:
    return _decode_groups(names) if names else ()


def _result(answer: Answer, timestamp: int | None) -> Result:
    return Envelope(None, timestamp, NO_HEADERS, answer), _encode(answer)


@dataclasses.dataclass(eq=False)
class _AnswerSink(Sink[Featured]):
    """Sends the features of a group to the partitions that have asked for them."""

    _: dataclasses.KW_ONLY
    group: str
    members: Members

    def send(self, batch: Batch, results: Sequence[Featured]) -> None:
        """Send the answers to a batch once the agent is done with it."""
        answers: defaultdict[int, list[Result]] = defaultdict(list)
        for one in results:
            if (asked := place(cast(Marked, one.record))) is None:
                raise AssertionError(f"the question at {one.record.offset} does not say of which record it is")
            partition, offset = asked
            answer = Answer(offset, self.group, self.members(one.values), one.late_by)
            answers[partition].append(_result(answer, one.timestamp))
        for partition, told in answers.items():
            self.output.send_to(partition, batch, told)


class _Answers(Output):
    """The answers; one that the broker refuses becomes one without features."""

    async def refused(self, result: Result, source: TP, record: Record | None, error: RecordRefusedError) -> Results:
        """Return the answer that there is none."""
        answer = cast(Answer, record)
        if answer.error:
            raise RefusedError(f"{self.topic} takes no answers: {error}")
        return self.instead(Answer(answer.offset, answer.group, b"", error=str(error)), result, source.partition)

    def instead(self, answer: Answer, result: Result, partition: int) -> Results:
        """Return an answer in place of what is refused."""
        return Results(self, [_result(answer, result[0].timestamp)], TP(self.topic, partition))


class _Questions(Output):
    """The questions for a group of features; one that the broker refuses gets an answer that says so."""

    def __init__(self, app: JoiningApp, topic: str, answers: _Answers, group: str) -> None:
        super().__init__(app, topic)
        self._answers = answers
        self._group = group

    async def refused(self, result: Result, source: TP, record: Record | None, error: RecordRefusedError) -> Results:
        """Return the answer that there is none."""
        asked = cast(Record, record)
        return self._answers.instead(
            Answer(asked.offset, self._group, b"", error=f"{self.topic} refuses it: {error}"), result, source.partition
        )
