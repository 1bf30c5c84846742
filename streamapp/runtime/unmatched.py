"""Records that were looked up by hand in a table which has no row for them: sent to a topic, and counted."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from faust.types import TP

from streamapp.kafka.record import Envelope, Headers, Result
from streamapp.runtime.advice import advice, advice_on_keys
from streamapp.runtime.batch import Batch, Merged
from streamapp.runtime.output import Output, OutputApp
from streamapp.runtime.rows import RowTable
from streamapp.runtime.samples import Sample, Samples, newest_of_each
from streamapp.runtime.tally import Example
from streamapp.runtime.work import Origin, Results

__all__ = ["SAMPLE", "UnmatchedOutput"]

#: How many keys of a table are told beside one that is not there.
SAMPLE: Final = 3
#: Why a record has no row, if that is for its age.
EXPIRED: Final = "expired"


class UnmatchedOutput(Output):
    """A topic for records that found no row; made by `App.unmatched`, which has the arguments.

    Such a record has headers before its own that say where it is from and why it is there: ``topic``, ``partition``,
    ``offset``, ``reason``. By these ``streamapp redrive`` finds it.
    """

    def __init__(
        self, app: OutputApp, topic: str, table: RowTable, reason: Callable[[bytes], str], *, keeps: bool = False
    ) -> None:
        super().__init__(app, topic)
        self._table = table
        self._reason = reason
        self._keeps = keeps
        #: How many there were since the start, by topic and reason.
        self.counts: Counter[tuple[str, str]] = Counter()
        self.samples = Samples()

    def advice(self, reason: str, example: Example | None) -> str:
        """Return what to do about records that have no row."""
        if reason == EXPIRED or example is None:
            return advice(reason)
        partitions = self._table.data.partitions
        mine = partitions.get(example.tp.partition)
        # If there are none where the record is, those of other partitions show at least what keys look like.
        tried = [*([] if mine is None else [mine]), *partitions.values()]
        samples = ([key for key, _ in itertools.islice(rows.items(), SAMPLE)] for rows in tried)
        by_now = mine is not None and example.key is not None and mine.get(example.key) is not None
        some = next(filter(None, samples), [])
        return advice_on_keys(example.key, some, f"the table {self._table.name}", by_now=by_now)

    def send(
        self, batch: Batch, results: Sequence[Result], *, rekeyed: bool = False, origin: Origin | None = None
    ) -> None:
        """Send records of a batch, and count them, once the agent is done with it."""
        if results:
            reasons = [self._reason(value or b"") for _, value in results]
            made = Results(self, results, batch.tp, origin=origin)
            super().send(batch, _placed(batch, made, reasons), rekeyed=rekeyed)
            batch.work.effects.append(partial(self._count, batch.tp, results, reasons))

    def _count(self, tp: TP, results: Sequence[Result], reasons: Sequence[str]) -> None:
        watched = self._app.watch.by_hand(tp.topic)
        watched.lookup, watched.tally.keeps = self, self._keeps
        for reason, count in Counter(reasons).items():
            watched.tally.unmatched[reason] += count
            self.counts[tp.topic, reason] += count
        last = dict(zip(reasons, results, strict=True))
        for reason, (record, _) in last.items():
            watched.tally.note(reason, Example(tp, getattr(record, "offset", -1), key=record.key))
        newest = newest_of_each(last, reasons, results)
        self.samples.add(Sample.of(tp, record, self._reason(value or b"")) for record, value in newest)


def _placed(batch: Batch, made: Results, reasons: Sequence[str]) -> list[Result]:
    """Return results with headers that say where their records are from; of one that no record gave, as it is."""
    tps: dict[int, TP] = {}
    if isinstance(batch, Merged):
        tps = dict(zip(map(id, batch), map(batch.source, range(len(batch))), strict=True))
    begins: dict[TP, Headers] = {}
    placed: list[Result] = []
    for (stamped, value), reason in zip(made.results, reasons, strict=True):
        tp, record = made.origin_of(stamped)
        if (offset := getattr(record, "offset", -1)) >= 0:
            tp = tps.get(id(record), tp)
            if tp not in begins:
                begins[tp] = [("topic", tp.topic.encode()), ("partition", b"%d" % tp.partition)]
            place = [*begins[tp], ("offset", b"%d" % offset), ("reason", reason.encode())]
            stamped = Envelope(stamped.key, stamped.timestamp, [*place, *stamped.headers], record, tp)
        placed.append((stamped, value))
    return placed
