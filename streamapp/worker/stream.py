"""The stream of batches that an agent iterates over, and what happens when the agent fails on one.

Faust acknowledges the event that an agent raised on, and so skips it (`faust.streams.Stream._c_aiter`,
``finally: it.after(event, …)``, 0.15.3). Here a batch is acknowledged only when the agent asks for the next
one. After a failure the agent is started again and gets the same batch again; when it fails again, its halves,
and so on down to the record at fault, which goes to the dead letters.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, cast

import faust
from aiokafka.errors import KafkaError
from faust.types import TP, ChannelT, EventT

from streamapp.formats.undecodable import Reason
from streamapp.kafka.refusals import RefusedError
from streamapp.kafka.unreadable import Unreadable
from streamapp.runtime.batch import Batch, BatchSchema, Merged
from streamapp.runtime.changelog_limits import RowRefusedError
from streamapp.runtime.work import Rejected, Work
from streamapp.settings import OnFailure
from streamapp.stores.errors import StoreBehindError, StoreError
from streamapp.worker.base import BaseApp
from streamapp.worker.committing import CommittingConsumer

__all__ = ["Stream"]

#: Seconds before a failed batch is tried again: the first time at once is pointless when a broker is away.
RETRY_BACKOFF_S: Final = 0.1
RETRY_BACKOFF_MAX_S: Final = 5.0
#: How often a single record may fail before it is taken to be at fault itself.
RECORD_TRIES: Final = 2
#: In place of a partition's number: all of them.
WHOLE: Final = -1


class BatchTopic(ChannelT[Batch]):
    """A Faust topic that is read in batches."""

    schema: BatchSchema
    topics: Sequence[str]


class Stream(faust.Stream[Batch]):
    """A Faust stream; of topics with a `BatchSchema` it yields whole batches."""

    app: BaseApp

    def __post_init__(self) -> None:
        """Begin without work."""
        #: What the agent works on: an event, or those of a round that are merged.
        self._unfinished: list[EventT[Batch]] = []
        self._parts: list[Batch] = []
        #: What was done with the parts that are finished.
        self._work = Work()
        self._failures = 0
        self._generation = 0
        #: Whether there is work that is not finished yet.
        self._busy = False
        #: When the next tick is due (s).
        self._tick_at = 0.0
        #: By partition, what came so far of a round that is to be merged.
        self._gathered: dict[int, list[EventT[Batch]]] = {}

    @property
    def batched(self) -> bool:
        """Whether this stream yields batches."""
        return isinstance(getattr(self.channel, "schema", None), BatchSchema)

    @property
    def _topic(self) -> BatchTopic:
        """What batches are read from."""
        return cast(BatchTopic, self.channel)

    @property
    def consumer(self) -> CommittingConsumer:
        """The worker's consumer."""
        return cast(CommittingConsumer, self.app.consumer)

    def __aiter__(self) -> AsyncIterator[Any]:
        if self.batched:
            return self._batches()
        # Not the compiled twin (0.15.3): that acknowledges events past the consumer, and no offset would be committed.
        events = self._py_aiter()
        self._active_agens.add(events)  # type: ignore[arg-type]
        return events

    async def _batches(self) -> AsyncIterator[Batch]:
        await self.maybe_start()
        while not self.should_stop:
            if not self._busy:
                try:
                    await self._take_up()
                except StopAsyncIteration:  # the agent is being stopped
                    return
                continue  # there may be nothing yet
            events = self._unfinished
            if not self._current(self._generation):
                self._unfinished, self._parts, self._busy = [], [], False
                continue
            if events:
                self._set_current_event(events[0])
            states = [self._on_stream_event_in(one.message.tp, one.message.offset, self, one) for one in events]
            while self._parts:
                part = self._parts[0]
                part.work = self._work.copy()  # made anew at each try: a failed one leaves nothing behind
                yield part
                if part.work.changes:
                    await self.consumer.changelog_limits.check(part.work)
                self._work = part.work
                self._parts.pop(0)
                self._failures = 0
            await self.consumer.checkpoint.finish([event.message for event in events], self._work, self._generation)
            self._unfinished, self._busy = [], False
            self._set_current_event(None)
            for event, state in zip(events, states, strict=True):
                message = event.message
                self._on_stream_event_out(message.tp, message.offset, self, event, state)
                self._on_message_out(message.tp, message.offset, message)

    async def _take_up(self) -> None:
        """Wait for what the agent is to work on next; there may be nothing yet.

        Raises:
            StopAsyncIteration: if nothing more comes.
        """
        every, now = self._topic.schema.tick, time.monotonic()
        if every is not None and now >= self._tick_at:
            self._tick_at = now + every
            self._begin([], self._ticks(), self.app.consumer_generation_id)
            return
        with contextlib.suppress(TimeoutError):
            event = await asyncio.wait_for(self._topic.__anext__(), None if every is None else self._tick_at - now)
            generation = cast(int, event.message.generation_id)
            if self._current(generation) and (events := self._gather(event)):
                batch, rejected = self._batch(events)
                self._begin(events, [batch] if batch else [], generation)
                self._work.rejected += rejected
                for event in events:
                    self.consumer.track_message(event.message)

    def _begin(self, events: list[EventT[Batch]], parts: list[Batch], generation: int) -> None:
        self._unfinished, self._parts, self._work, self._generation = events, parts, Work(), generation
        self._busy = True

    def _ticks(self) -> list[Batch]:
        """Make a batch without records for each partition of which none waits, to do what is due by the wall clock."""
        topics, lanes = self._topic.topics, self.consumer.alignment.lanes
        if not self.app.flow_control.is_active() or not self.app.tables.actives_ready:
            return []
        busy = {tp.partition for tp, lane in lanes.items() if tp.topic in topics and (lane.waiting or lane.working)}
        mine = {tp.partition for tp in self.consumer.assignment() if tp.topic == topics[0]}
        return [Merged([TP(topic, number) for topic in topics], [], []) for number in sorted(mine - busy)]

    def _gather(self, event: EventT[Batch]) -> list[EventT[Batch]]:
        """Return the events that the agent is to work on now; none while a part of a round is still to come."""
        batch = cast(Batch, event.value)
        if not self._topic.schema.merged:
            return [event]
        generation = event.message.generation_id
        place = WHOLE if self._topic.schema.whole else batch.partition
        events = [one for one in self._gathered.pop(place, ()) if one.message.generation_id == generation]
        events.append(event)
        if len(events) == sum(tp.topic in self._topic.topics for tp in batch.round):
            return events
        self._gathered[place] = events
        return []

    def _batch(self, events: list[EventT[Batch]]) -> tuple[Batch, list[Rejected]]:
        batches, rejected = [], []
        for event in events:
            batch, unreadable = _readable(cast(Batch, event.value))
            batches.append(batch)
            rejected += unreadable
        if self._topic.schema.merged:
            if self._topic.schema.whole:
                tps = sorted(batch.tp for batch in batches)
            else:
                tps = [TP(topic, batches[0].partition) for topic in self._topic.topics]
            return Merged.of(tps, batches), rejected
        return batches[0], rejected

    def _current(self, generation: int) -> bool:
        # While the flow is suspended, the partitions are about to be taken away; what was queued then is
        # fetched again from the committed offset by whoever gets them.
        return generation == self.app.consumer_generation_id and self.app.flow_control.is_active()

    async def failed(self, error: Exception) -> None:
        """Take note that the agent raised on the batch it was given, and wait before the next try.

        Args:
            error: what the agent raised.

        Raises:
            Exception: this error, if a record is at fault and the worker is to stop then (``STREAMAPP_ON_FAILURE``),
                or if a table's store cannot be used, or the broker refuses what does not get better.
        """
        self._failures += 1
        if isinstance(error, StoreError | RefusedError):
            raise error
        if isinstance(error, RowRefusedError):
            self._narrow_down_refused(error)
            return
        # The failures of a broker or a store (a KafkaError, a lost connection) are nobody's fault among the records.
        if isinstance(error, StoreBehindError):
            self.give_up()
            self.consumer.checkpoint.fail(error)
        elif self._parts and not isinstance(error, (KafkaError, OSError)):
            self._narrow_down(error)
        await asyncio.sleep(min(RETRY_BACKOFF_S * 2 ** (self._failures - 1), RETRY_BACKOFF_MAX_S))

    def give_up(self) -> None:
        """Have nobody wait for the batch that the agent failed on: it stays uncommitted."""
        for event in self._unfinished:
            self.consumer.drop(event.message)

    def _narrow_down(self, error: Exception) -> None:
        batch = self._parts[0]
        if not batch:
            self._parts.pop(0)  # it is due again at the next tick
        elif len(batch) > 1:
            self._parts[:1] = batch.halves()
            self._failures = 0
        elif self._failures >= RECORD_TRIES:
            if self.app.settings.on_failure is OnFailure.STOP:
                raise error
            text = "".join(traceback.format_exception(error))
            self._work.rejected.append(
                Rejected(batch.source(0), batch.records[0], Reason.AGENT_FAILED, repr(error), text)
            )
            self._parts.pop(0)
            self._failures = 0

    def _narrow_down_refused(self, error: RowRefusedError) -> None:
        """Leave out the record of which a row is made that the changelog does not take; no try is wasted on it."""
        batch = self._parts[0]
        self._failures = 0
        for rows in batch.work.changes:
            rows.epoch += 1  # what an agent keeps in memory is ahead of them
        if len(batch) > 1:
            self._parts[:1] = batch.halves()
            return
        self._parts.pop(0)
        if batch:
            reason = Reason(error.cause)
            self._work.rejected.append(Rejected(batch.source(0), batch.records[0], reason, str(error)))


def _readable(batch: Batch) -> tuple[Batch, list[Rejected]]:
    """Return the records of a batch that the agent gets: another one may have the same, and its own work on them."""
    if Unreadable not in map(type, batch.records):
        return batch.anew(), []
    rejected = [
        Rejected(batch.tp, record, Reason.HEADER_NOT_UTF8, record.error)
        for record in batch
        if isinstance(record, Unreadable)
    ]
    readable = Batch(batch.tp, [record for record in batch if not isinstance(record, Unreadable)])
    if batch.places is not None:
        kept = zip(batch.places, batch, strict=True)
        readable.places = [place for place, record in kept if not isinstance(record, Unreadable)]
    return readable, rejected
