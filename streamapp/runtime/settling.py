"""Settling: waits until the broker has what was sent, and sees to what it refuses, or has no topic for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Final, Protocol

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from faust.types import TP

from streamapp.kafka.partitioner import partitions
from streamapp.kafka.refusals import RecordRefusedError, RefusedError, standing
from streamapp.runtime.changelog_limits import ChangelogLimits
from streamapp.runtime.outbox import Outbox, Sending
from streamapp.runtime.patience import Patience
from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted
from streamapp.runtime.work import Results

__all__ = ["KnownTopics", "RowsRefusedError", "Settling"]

#: Seconds between two looks why something does not arrive.
SETTLE_CHECK_INTERVAL_S: Final = 1.0


class RowsRefusedError(Exception):
    """Rows that their changelogs refused in a commit; they are known now, and refused before the next one."""


class KnownTopics(Protocol):
    """Tells what the broker knows of topics."""

    async def partition_count(self, topic: str) -> int:
        """Return the number of partitions of a topic.

        Raises:
            KafkaError: if the broker does not know the topic.
        """
        ...

    async def missing(self, partitions: Collection[TP]) -> set[str]:
        """Return the topics of those of the partitions that are not there; none, if the broker does not answer."""
        ...


class Retention(Protocol):
    """Looks for records that their topic deletes soon, since they are old."""

    def look(self, topic: str, first: int | None, last: int | None) -> None:
        """Look at the event times (ms; None = now) of the first and the last record of a batch."""
        ...


class Settling:
    """Puts results into the outbox, and settles what is in it.

    Args:
        outbox: has what is sent.
        patience: knows how long what fails is tried again.
        limits: of the changelogs.
        topics: tells of the topics that results go to.
        retention: looks at the event times of results.
    """

    def __init__(
        self, outbox: Outbox, patience: Patience, limits: ChangelogLimits, topics: KnownTopics, retention: Retention
    ) -> None:
        self.outbox = outbox
        self.patience = patience
        self._limits = limits
        self._topics = topics
        self._retention = retention

    async def divided(self, results: Results) -> list[tuple[TP, Results]]:
        """Return results by the partitions that they go to.

        Raises:
            RefusedError: if their topic is not there, or not allowed, for long enough.
        """
        topic, source = results.output.topic, results.source
        self._retention.look(topic, results.results[0][0].timestamp, results.results[-1][0].timestamp)
        count = await self._partition_count(topic)
        if not results.rekeyed and count == await self._topics.partition_count(source.topic):
            return [(TP(topic, source.partition), results)]
        return [
            (TP(topic, number), Results(results.output, part, source, rekeyed=True, origin=results.origin))
            for number, part in partitions(results.results, count).items()
        ]

    async def send(self, results: Results) -> None:
        """Send results outside of a batch's work, with the commit under way."""
        for tp, part in await self.divided(results):
            self.outbox.put(tp, part.results, part, amends=True)

    async def missing(self, partitions: Collection[TP]) -> set[str]:
        """Return the topics of those of the partitions that are not there; none, if the broker does not answer."""
        return await self._topics.missing(partitions)

    async def settle(self) -> None:
        """Wait until all has arrived; what the broker refuses finds another place.

        Raises:
            Exception: what is wrong with a record batch that cannot be sent.
        """
        while (failed := await self.outbox.settle(SETTLE_CHECK_INTERVAL_S)) is None or failed:
            if failed is None:
                await self._look()
            else:
                await self._place(failed)

    async def _place(self, failed: Iterable[Sending]) -> None:
        """Find another place for the records that the broker refuses.

        Raises:
            Exception: what is wrong with a record batch that cannot be sent.
        """
        errors = [(sending, sending.arrived.exception()) for sending in failed]
        others = [error for _, error in errors if error is not None and not isinstance(error, RecordRefusedError)]
        if others:
            telling = (error for error in others if isinstance(error, RefusedError) or standing(type(error)))
            raise next(telling, others[0])
        for sending, error in errors:
            if isinstance(error, RecordRefusedError):
                await sending.to.refused(sending.results[0], error)

    async def _look(self) -> None:
        """Look whether what does not arrive is for a topic that is not there.

        Raises:
            RefusedError: if so, and that for long enough.
        """
        for topic in await self._topics.missing(self.outbox.waiting):
            self.patience.failed(topic, UnknownTopicOrPartitionError())

    async def check_rows(self, written: Sequence[Uncommitted], undo: bool) -> None:
        """Look whether the changelogs have refused rows.

        Args:
            written: the tables of the commit.
            undo: whether a changelog that has refused one has the others for good. The state of a join is then put back
                to what it was: its rows only go together, and one of them says what they have taken in.

        Raises:
            RowsRefusedError: if so; then the records that they are of are found once these come again.
            RefusedError: if these would be refused again.
        """
        refused = [(rows.changelog.topic, *one) for rows in written for one in rows.refusals]
        for topic, result, error in refused:
            await self._limits.learn(topic, result, error)
        if refused:
            if undo:
                for rows in written:
                    if rows.refusals and isinstance(rows, OrderedUncommitted):
                        self.outbox.put(rows.changelog, rows.undone(), rows, amends=True)
                await self.settle()
            topic, _, error = refused[0]
            raise RowsRefusedError(f"the changelog {topic} refuses {len(refused)} rows: {error}")

    async def _partition_count(self, topic: str) -> int:
        """Return the number of partitions of a topic; one that is not there is waited for, for some time."""
        error: KafkaError | None
        while True:
            try:
                async with asyncio.timeout(SETTLE_CHECK_INTERVAL_S):
                    return await self._topics.partition_count(topic)
            except TimeoutError:
                error = UnknownTopicOrPartitionError() if await self._topics.missing([TP(topic, 0)]) else None
            except KafkaError as exc:
                error = exc
            if error is not None:
                await asyncio.sleep(self.patience.failed(topic, error))
