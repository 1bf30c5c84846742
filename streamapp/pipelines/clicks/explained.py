"""The click join, to be asked about its records: its agent writes down what became of each, and the table is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from streamapp.app import app
from streamapp.explain.evidence import EvidenceTopic, Match, dead_letters
from streamapp.formats.registered import RegisteredData, UnfetchedError
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Clock, Event, Explanation, Reason, Refused, Side, SideOutput, StreamTableJoin, Verdict
from streamapp.joins import Record as JoinRecord
from streamapp.joins.explanation import explain_update
from streamapp.joins.table import Table
from streamapp.kafka.log_reader import Logged
from streamapp.kafka.record import Record
from streamapp.pipelines.clicks import registered, values
from streamapp.pipelines.clicks.formats import sides
from streamapp.pipelines.clicks.made import splicing
from streamapp.pipelines.clicks.results import reason_of
from streamapp.pipelines.clicks.tables import profiles as table
from streamapp.pipelines.clicks.topics import joined_data, unmatched_clicks, user_clicks, user_profiles
from streamapp.runtime.inputs import Input
from streamapp.runtime.rows import Rows
from streamapp.runtime.work import Work
from streamapp.worker.progress import Progress

__all__ = ["ClickJoin"]


def _unmatched(found: Logged, click: Logged) -> SideOutput | None:
    told = SideOutput(reason_of(found.value or b""), Side.LEFT, click)
    return told if _made_of(found, click, registered.unmatched) else None


def _joined(found: Logged, click: Logged) -> Match | None:
    return Match() if _made_of(found, click, registered.joined) else None


def _made_of(found: Logged, click: Logged, data: RegisteredData | None) -> bool:
    if (found.timestamp, found.key) != (click.timestamp, click.key):
        return False
    try:
        of_click = sides.clicks.of_result(_bare(registered.clicks, click))
        return splicing.is_of(registered.unframed(data, found), of_click)
    except (Undecodable, UnfetchedError):
        return False


def _bare(data: RegisteredData | None, record: Record) -> Record:
    return record if data is None else registered.bare(data, record)


def _usable(decoder: values.Values) -> Callable[[JoinRecord], None]:
    """Return what refuses records that the agents cannot use."""

    def check(record: JoinRecord) -> None:
        try:
            decoder.decode(cast(Record, record))
        except Undecodable as exc:
            raise Refused(str(exc), exc.reason) from None

    return check


class ClickJoin:
    """The join of clicks with profiles, which the click agent does by hand."""

    name = "user_clicks-user_profiles-join"
    inputs: Sequence[Input] = (
        user_clicks.source(Side.LEFT)._replace(check=_usable(values.clicks), keys=sides.keys),
        user_profiles.source(Side.RIGHT)._replace(check=_usable(values.profiles), keys=sides.keys),
    )
    table = table
    evidence: Sequence[EvidenceTopic] = (
        dead_letters(app.dead_letters.topic),
        EvidenceTopic(unmatched_clicks.topic, frozenset({Reason.UNMATCHED, Reason.EXPIRED}), _unmatched),
        EvidenceTopic(joined_data.topic, frozenset(), _joined),
    )

    def __init__(self, join: StreamTableJoin) -> None:
        self.join = join
        progress = Progress(app, [each.topic for each in self.inputs])
        self.read, self.commit = progress.read, progress.commit

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the table tells.

        Raises:
            KeyError: if this worker does not have the partition.
        """
        profiles = Table(Rows(table.partition(partition), Work()))
        try:
            (values.clicks if source == Side.LEFT else values.profiles).decode(record)
        except Undecodable as exc:
            return Explanation(verdict=Verdict.REFUSED, clock=None, detail=f"{exc.reason}: {exc}")
        if source != Side.LEFT:
            value = None if record.value is None else sides.profiles.kept(_bare(registered.profiles, record))
            row = Event(record.key, value, record.timestamp, record.offset)
            return explain_update(source, row, profiles, Clock())
        return Explanation(
            verdict=Verdict.OVER,
            clock=None,
            window=self.join.window(record.timestamp),
            candidates=self.join.candidates(record, profiles),
            reasons=frozenset({Reason.UNMATCHED, Reason.EXPIRED}),
            untold=Verdict.MATCHED,
        )
