"""The click join, to be asked about its records: its agent writes down what became of each, and the table is there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streamapp.agents import clicks
from streamapp.app import app
from streamapp.explain.evidence import EvidenceTopic, Match, dead_letters
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Clock, Explanation, Missing, Reason, Row, Side, SideOutput, Verdict
from streamapp.joins.explanation import explain_update
from streamapp.kafka.log_reader import Logged
from streamapp.kafka.record import Record
from streamapp.pipelines.clicks import values
from streamapp.pipelines.clicks.results import unmatched
from streamapp.pipelines.clicks.tables import profiles as table
from streamapp.pipelines.clicks.topics import joined_data, unmatched_clicks, user_clicks, user_profiles
from streamapp.runtime.inputs import Input
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.worker.progress import Progress

__all__ = ["ClickJoin"]


class _Profiles:
    """The profiles of a partition, as a join looks them up."""

    def __init__(self, rows: Uncommitted) -> None:
        self._rows = rows

    def at(self, key: bytes, _timestamp: int) -> Row | None:
        """Give the profile that a click of this key joins, whatever its time: the current one."""
        return self._rows.get(key)

    def keys(self) -> Iterator[bytes]:
        """Go through the users who have a profile."""
        return (key for key, _ in self._rows.items())


def _unmatched(found: Logged, click: Logged) -> SideOutput | None:
    """Read a record of the clicks that are not matched."""
    if _same(found, click):
        for missing, reason in ((Missing.ABSENT, Reason.UNMATCHED), (Missing.EXPIRED, Reason.EXPIRED)):
            if found.value == unmatched(click.value or b"", missing):
                return SideOutput(reason, Side.LEFT, click)
    return None


def _joined(found: Logged, click: Logged) -> Match | None:
    """Read a result."""
    begin = b'{"click":%b,"profile":{' % (click.value or b"")
    return Match() if _same(found, click) and (found.value or b"").startswith(begin) else None


def _same(found: Logged, click: Logged) -> bool:
    return (found.timestamp, found.key) == (click.timestamp, click.key)


class ClickJoin:
    """The join of clicks with profiles, which the click agent does by hand."""

    name = "user_clicks-user_profiles-join"
    inputs: Sequence[Input] = (user_clicks.source(Side.LEFT), user_profiles.source(Side.RIGHT))
    table = table
    evidence: Sequence[EvidenceTopic] = (
        dead_letters(app.dead_letters.topic),
        EvidenceTopic(unmatched_clicks.topic, frozenset({Reason.UNMATCHED, Reason.EXPIRED}), _unmatched),
        EvidenceTopic(joined_data.topic, frozenset(), _joined),
    )

    def __init__(self) -> None:
        progress = Progress(app, [each.topic for each in self.inputs])
        self.read, self.commit = progress.read, progress.commit

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the table tells.

        Raises:
            KeyError: if this worker does not have the partition.
        """
        rows, clock = _Profiles(table.partition(partition)), Clock()
        try:
            (values.clicks if source == Side.LEFT else values.profiles).decode(record)
        except Undecodable as exc:
            return Explanation(verdict=Verdict.REFUSED, clock=None, detail=f"{exc.reason}: {exc}")
        if source != Side.LEFT:
            return explain_update(source, record, rows, clock)
        return Explanation(
            verdict=Verdict.OVER,
            clock=None,
            window=clicks.join.window(record.timestamp),
            candidates=clicks.join.candidates(record, rows),
            reasons=frozenset({Reason.UNMATCHED, Reason.EXPIRED}),
            untold=Verdict.MATCHED,
        )


app.explain(ClickJoin())
