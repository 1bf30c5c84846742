"""The stream of batches that an agent iterates over, and the agent, which is started again on the batch it failed on.

Faust acknowledges the event that an agent raised on, and so skips it (`faust.streams.Stream._c_aiter`,
``finally: it.after(event, …)``, 0.15.3). Here a batch is acknowledged only when the agent asks for the next one; after
a failure the agent gets the same batch again (`streamapp.worker.turn`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Final, cast

import faust
from aiokafka.errors import KafkaError
from faust.types import TP, ChannelT, EventT
from faust.types.agents import ActorRefT

from streamapp.formats.registered import UnfetchedError
from streamapp.joins.corrections import decoded_mark, mark_of
from streamapp.kafka.refusals import RefusedError
from streamapp.runtime.batch import Batch, BatchSchema, Merged
from streamapp.runtime.changelog_limits import RowRefusedError
from streamapp.settings import OnFailure
from streamapp.stores.errors import StoreBehindError, StoreError, StoreUnreachableError
from streamapp.worker.app import App
from streamapp.worker.committing import CommittingConsumer
from streamapp.worker.registry import fetched
from streamapp.worker.turn import Author, Turn, readable

__all__ = ["Agent", "Stream"]

#: Seconds before a failed batch is tried again: the first time at once is pointless when a broker is away.
RETRY_BACKOFF_S: Final = 0.1
RETRY_BACKOFF_MAX_S: Final = 5.0
#: What is told of elsewhere, where an agent fails with it.
ELSEWHERE: Final = (StoreError, StoreBehindError, RefusedError, RowRefusedError, UnfetchedError)
#: In place of a partition's number: all of them.
WHOLE: Final = -1


class BatchTopic(ChannelT[Batch]):
    """A Faust topic that is read in batches."""

    schema: BatchSchema
    topics: Sequence[str]


class Stream(faust.Stream[Batch]):
    """A Faust stream; of topics with a `BatchSchema` it yields whole batches."""

    app: App

    def __post_init__(self) -> None:
        #: What the agent works on; None = it waits.
        self._turn: Turn | None = None
        #: How often the agent has failed while it waited.
        self._failures = 0
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
        return cast(BatchTopic, self.channel)

    @property
    def consumer(self) -> CommittingConsumer:
        """The worker's consumer."""
        return cast(CommittingConsumer, self.app.consumer)

    def __aiter__(self) -> AsyncIterator[Batch]:
        if self.batched:
            return self._batches()
        # Not the compiled twin (0.15.3): that acknowledges events past the consumer, and no offset would be committed.
        events = self._py_aiter()
        self._active_agens.add(events)  # type: ignore[arg-type]
        return events

    async def _batches(self) -> AsyncIterator[Batch]:
        await self.maybe_start()
        while not self.should_stop:
            if self._turn is None:
                try:
                    self._turn = await self._next_turn()
                except StopAsyncIteration:  # the agent is being stopped
                    return
            if (turn := self._turn) is None:
                continue
            if not self._current(turn.generation):
                self._turn = None
                continue
            self._failures = 0
            events = turn.events
            if events:
                self._set_current_event(events[0])
            states = [self._on_stream_event_in(one.message.tp, one.message.offset, self, one) for one in events]
            while turn.parts:
                part = turn.begin()
                yield part
                if part.work.changes:
                    await self.consumer.changelog_limits.check(part.work)
                turn.done()
            await self.consumer.checkpoint.finish([event.message for event in events], turn.work, turn.generation)
            self._turn = None
            self._set_current_event(None)
            for event, state in zip(events, states, strict=True):
                message = event.message
                self._on_stream_event_out(message.tp, message.offset, self, event, state)
                self._on_message_out(message.tp, message.offset, message)

    async def _next_turn(self) -> Turn | None:
        """Wait for what the agent works on next; None = nothing yet; a StopAsyncIteration if nothing more comes."""
        every, now = self._topic.schema.tick, time.monotonic()
        if every is not None and now >= self._tick_at:
            self._tick_at = now + every
            return Turn([], self._ticks(), self.app.consumer_generation_id)
        try:
            event = await asyncio.wait_for(self._topic.__anext__(), None if every is None else self._tick_at - now)
        except TimeoutError:
            return None
        generation = cast(int, event.message.generation_id)
        if not self._current(generation) or not (events := self._gather(event)):
            return None
        turn, batches = Turn(events, [], generation), []
        for event in events:
            batch, rejected = readable(cast(Batch, event.value))
            batches.append(batch)
            turn.work.rejected += rejected
        turn.parts = [batch] if (batch := self._meant(self._merged(batches))) else []
        for event in events:
            self.consumer.track_message(event.message)
        return turn

    def _meant(self, batch: Batch) -> Batch:
        """Return a batch without the redriven records that another agent of the app had failed on, but this one not."""
        if not batch.redriven:
            return batch
        others = self.app.agents.keys() - {self.prefix}  # the name of the stream's own agent
        marks = [decoded_mark(mark_of(record)) for record in batch.records]
        mine = [
            number
            for number, mark in enumerate(marks)
            if mark is None or mark.agent not in others or mark.topic != batch.source(number).topic
        ]
        return batch if len(mine) == len(batch) else batch.some(mine)

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
        generation, whole = event.message.generation_id, self._topic.schema.whole
        place = WHOLE if whole else batch.partition
        events = [one for one in self._gathered.pop(place, ()) if one.message.generation_id == generation]
        events.append(event)
        # All partitions may go together only because another agent wants them so.
        mine = [
            tp for tp in batch.round if tp.topic in self._topic.topics and (whole or tp.partition == batch.partition)
        ]
        if len(events) == len(mine):
            return events
        self._gathered[place] = events
        return []

    def _merged(self, batches: list[Batch]) -> Batch:
        if not self._topic.schema.merged:
            return batches[0]
        if self._topic.schema.whole:
            return Merged.of(sorted(batch.tp for batch in batches), batches)
        return Merged.of([TP(topic, batches[0].partition) for topic in self._topic.topics], batches)

    def _current(self, generation: int) -> bool:
        # While the flow is suspended, the partitions are about to be taken away; what was queued then is
        # fetched again from the committed offset by whoever gets them.
        return generation == self.app.consumer_generation_id and self.app.flow_control.is_active()

    async def failed(self, error: Exception, by: Author) -> None:
        """Take note that the agent raised on the batch it was given, and wait before the next try.

        Raises:
            Exception: this error, if a record is at fault and the worker is to stop then (``STREAMAPP_ON_FAILURE``),
                or if a table's store cannot be used, or the broker refuses what does not get better.
        """
        if isinstance(error, StoreError | RefusedError):
            raise error
        if isinstance(error, UnfetchedError):
            records = self._turn.parts[0] if self._turn is not None and self._turn.parts else ()
            await fetched(error.with_those_of(records), self.app.faults, self._awaited)
            return
        if (turn := self._turn) is None:
            self._failures += 1
        else:
            turn.failures += 1
        if isinstance(error, StoreBehindError):
            self.give_up()
            self.consumer.checkpoint.fail(error)
        elif turn is not None and turn.parts:
            if isinstance(error, RowRefusedError):
                turn.refused(error, by)
                return
            # The failures of a broker or a store (a lost connection) are nobody's fault among the records.
            if not isinstance(error, KafkaError | OSError):
                turn.failed(error, by, stop=self.app.settings.on_failure is OnFailure.STOP)
        failures = self._failures if turn is None else turn.failures
        await asyncio.sleep(min(RETRY_BACKOFF_S * 2 ** (failures - 1), RETRY_BACKOFF_MAX_S))

    def _awaited(self) -> bool:
        """Tell whether the batch that waits is still this worker's."""
        return not self.should_stop and (self._turn is None or self._current(self._turn.generation))

    def give_up(self) -> None:
        """Have nobody wait for the batch that the agent failed on: it stays uncommitted."""
        for event in self._turn.events if self._turn is not None else ():
            self.consumer.drop(event.message)


class Agent(faust.Agent):
    """A Faust agent whose function is called again on the same stream when it raises.

    Faust's supervisor would do it too, but 5 s later from the second failure on, since it misses its own
    wake-up (`mode.supervisors`, 0.7), and after the batch has been acknowledged.
    """

    #: The join that it runs, as messages call it; empty = it runs none.
    of_join: str = ""

    async def _execute_actor(self, coro: Awaitable[None], aref: ActorRefT) -> None:
        if isinstance(aref.stream, Stream) and aref.stream.batched:
            coro = self._tried_again(coro, aref.stream, aref)
        await super()._execute_actor(coro, aref)

    async def _tried_again(self, coro: Awaitable[None], stream: Stream, aref: ActorRefT) -> None:
        while True:
            try:
                await coro
            except Exception as exc:
                self._tell(exc)
                try:
                    await stream.failed(exc, Author(self.of_join, self.name))
                except Exception as fatal:
                    stream.give_up()
                    await self.app.crash(fatal)
                    return
                running = self.fun(stream)
                coro = running if isinstance(running, Awaitable) else self._slurp(aref, aiter(running))
            else:
                return

    def _tell(self, error: Exception) -> None:
        if isinstance(error, StoreUnreachableError):
            self.log.warning("%s waits: %s", self.name, error)
        elif not isinstance(error, ELSEWHERE):
            self.log.error("%s failed and is started again", self.name, exc_info=error)
