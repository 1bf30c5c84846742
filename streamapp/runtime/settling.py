"""Settling: waits until the broker has what was sent, and sees to what it refuses, or has no topic for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from faust.types import TP

from streamapp.kafka.refusals import RecordRefusedError, RefusedError, standing
from streamapp.runtime.outbox import Outbox, Sending
from streamapp.runtime.patience import Patience
from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted

__all__ = ["RowsRefusedError", "Settling"]

#: Seconds between two looks why something does not arrive.
LOOK_S: Final = 1.0


class RowsRefusedError(Exception):
    """Rows that their changelogs refused in a commit; they are known now, and refused before the next one."""


class Settling:
    """Settles what is in the outbox.

    Args:
        app: the app.
        outbox: has what was sent.
    """

    def __init__(self, app: Any, outbox: Outbox) -> None:
        self._app = app
        self._outbox = outbox
        self._patience: Patience = app.patience

    async def settle(self) -> None:
        """Wait until all has arrived; what the broker refuses finds another place.

        Raises:
            Exception: what is wrong with a record batch that cannot be sent.
        """
        while (failed := await self._outbox.settle(LOOK_S)) is None or failed:
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
        for topic in await self._app.producer.missing(self._outbox.waiting):
            self._patience.failed(topic, UnknownTopicOrPartitionError())

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
            await self._app.changelog_limits.learn(topic, result, error)
        if refused:
            if undo:
                for rows in written:
                    if rows.refusals and isinstance(rows, OrderedUncommitted):
                        self._outbox.put(rows.changelog, rows.undone(), rows, amends=True)
                await self.settle()
            topic, _, error = refused[0]
            raise RowsRefusedError(f"the changelog {topic} refuses {len(refused)} rows: {error}")

    async def partition_count(self, topic: str) -> int:
        """Return the number of partitions of a topic; one that is not there is waited for, for some time."""
        producer = self._app.producer
        error: KafkaError | None
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    count: int = await producer.partition_count(topic)
                    return count
            except TimeoutError:
                error = UnknownTopicOrPartitionError() if await producer.missing([TP(topic, 0)]) else None
            except KafkaError as exc:
                error = exc
            if error is not None:
                await asyncio.sleep(self._patience.failed(topic, error))
