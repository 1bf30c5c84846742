"""From where this worker's partitions are read: looked at when a generation begins, before anything of them is read.

The committed offset of a partition is compared with its log and with the id of its topic (`gap`): a consumer whose
offset is not there is silently set back to the first one by ``auto.offset.reset``, and in a topic that was deleted and
made anew an offset of the old one stands for other records. What is read from elsewhere is logged, counted and
committed at once, so that it is logged once.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streamapp.kafka.commit_metadata import By, CommitMetadata
from streamapp.kafka.group import passes
from streamapp.kafka.reader import Reader
from streamapp.kafka.topic_metadata import Described, LogRange, describe, log_ranges
from streamapp.runtime.losses import Gap, Losses, Why
from streamapp.runtime.rows import Tables
from streamapp.stores.errors import StoreUnreachableError

__all__ = ["Positions", "Reached", "gap"]

logger = logging.getLogger(__name__)

#: Seconds before the broker is asked again.
DESCRIBE_RETRY_S: Final = 0.5


class Reached(NamedTuple):
    """How far a group has read a partition."""

    #: Of the next record; None = not known any more.
    offset: int | None
    #: Of the topic that it was; None = not known.
    topic_id: str | None
    #: The end offset of that topic when it was last seen; None = not known.
    end: int | None = None


def gap(tp: TP, reached: Reached | None, log: LogRange, topic_id: str | None) -> Gap | None:
    """Return why a partition is to be read from elsewhere than where its group got to; None = it is not.

    The id of its topic is None if the broker does not tell.
    """
    before, known_id, known_end = reached or Reached(None, None)
    if topic_id is not None and known_id not in (None, topic_id):
        lost = None if known_end is None or before is None else max(0, known_end - before)
        return Gap(tp, Why.MADE_ANEW, before, log.begin, lost, known_id, topic_id)
    if before is None:
        return Gap(tp, Why.BEGUN_LATE, 0, log.begin, None) if log.begin > 0 else None
    if before < log.begin:
        return Gap(tp, Why.DELETED, before, log.begin, log.begin - before)
    if before > log.end:
        return Gap(tp, Why.CUT_OFF, before, log.begin, None)
    return None


@dataclasses.dataclass
class Positions:
    """Where the partitions of a generation begin, and which topics they are of."""

    #: Whose client asks the broker.
    reader: Reader
    losses: Losses
    #: Their stores know of which topics they are made.
    tables: Tables
    #: The ids of the topics that this generation reads, as far as the broker tells.
    ids: dict[str, str] = dataclasses.field(default_factory=dict)
    #: The topics that this generation reads and that are there.
    there: frozenset[str] = frozenset()
    #: Partitions whose state goes on: a worker of this app has committed how far they are read.
    progressed: set[TP] = dataclasses.field(default_factory=set)
    #: How far the last generation had read its partitions, and of which topics.
    _reached: dict[TP, Reached] = dataclasses.field(default_factory=dict)
    #: What there was of the logs when this generation began.
    _logs: Mapping[TP, LogRange] = dataclasses.field(default_factory=dict)

    def ends_before(self, tp: TP, offset: int | None) -> bool:
        """Return whether the log of a partition ended before an offset when this generation began: it was cut off."""
        log = self._logs.get(tp)
        return log is not None and offset is not None and log.end < offset

    def leave(self, ends: Mapping[TP, int | None], offsets: Mapping[TP, int | None]) -> None:
        """Take note of how far the partitions are read, at the end of their generation.

        That are their end offsets as they were last seen (None = they were not), and the committed ones of this
        generation (None = none was).
        """
        for tp, end in ends.items():
            known = self._reached.get(tp)
            offset = offsets.get(tp)
            if offset is None and known is not None:
                offset = known.offset
            if offset is not None:
                self._reached[tp] = Reached(offset, self.ids.get(tp.topic), end)

    async def begin(self, committed: Mapping[TP, OffsetAndMetadata], partitions: Collection[TP]) -> dict[TP, int]:
        """Compare the committed offsets of this worker's partitions with what the broker has.

        Returns:
            where those partitions begin that are not read from their committed offset; to be committed.

        Raises:
            KafkaError: if the broker does not allow it.
            LostError: if records are gone, and the worker is to stop then.
        """
        topics, self._logs = await self._ask(partitions)
        self.ids = {topic: told.id for topic, told in topics.items() if told.id is not None}
        self.there = frozenset(topics)
        reached = {tp: self._known(tp, committed.get(tp)) for tp in partitions}
        found = (gap(tp, reached[tp], log, self.ids.get(tp.topic)) for tp, log in self._logs.items())
        gaps = [each for each in found if each is not None]
        self.losses.gaps(gaps)
        self.progressed = {
            tp for tp, each in committed.items() if CommitMetadata.parse(each.metadata).by is By.PROGRESS
        }
        moved = {each.tp: each.after for each in gaps if each.why is not Why.BEGUN_LATE}
        self._reached = {
            tp: Reached(moved.get(tp, known.offset), self.ids.get(tp.topic))
            for tp, known in reached.items()
            if known is not None
        }
        return moved

    def _known(self, tp: TP, committed: OffsetAndMetadata | None) -> Reached | None:
        last = self._reached.get(tp)
        if committed is None:
            # The broker forgets the offsets of a topic that is deleted; this worker does not, nor do its tables.
            last = last or Reached(None, self._stored_id(tp))
            return last if last.topic_id not in (None, self.ids.get(tp.topic)) else None
        topic_id = CommitMetadata.parse(committed.metadata).topic_id or None
        end = last.end if last is not None and last.topic_id == topic_id else None
        return Reached(committed.offset, topic_id, end)

    def _stored_id(self, tp: TP) -> str | None:
        """Return the id that the topic of a partition had when rows were made of it."""
        with contextlib.suppress(StoreUnreachableError):
            for rows in self.tables.partitions():
                if rows.changelog.partition == tp.partition and tp.topic in rows.committed.standing.inputs:
                    return rows.committed.standing.inputs[tp.topic]
        return None

    async def ends(self, partitions: Collection[TP]) -> dict[TP, int]:
        """Return the end offsets that are to be had now of partitions; a KafkaError if the broker does not allow it."""
        _, logs = await self._ask(partitions)
        return {tp: log.end for tp, log in logs.items()}

    async def _ask(self, partitions: Iterable[TP]) -> tuple[dict[str, Described], dict[TP, LogRange]]:
        client, partitions = self.reader.client, list(partitions)
        while True:
            try:
                topics = await describe(client, {tp.topic for tp in partitions}) if partitions else {}
                return topics, await log_ranges(client, topics, partitions)
            except KafkaError as exc:
                if not passes(exc):
                    raise
                logger.warning("The start waits for the broker to tell how far its topics go: %r", exc)
                await asyncio.sleep(DESCRIBE_RETRY_S)
