"""The thread in which the worker is a member of its group: heartbeats and commits go on while an agent works.

The records are fetched elsewhere (`streamapp.kafka.reader`).

Read from faust-streaming 0.15.3 (`faust/transport/drivers/aiokafka.py`) and aiokafka 0.14.0 (`aiokafka/consumer/`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import InvalidSessionTimeoutError, KafkaError, UnknownTopicOrPartitionError
from aiokafka.protocol.api import Request
from aiokafka.protocol.group import JoinGroupRequest
from faust.transport.drivers import aiokafka as driver
from mode import Service

from streamapp.kafka.group import Group, passes
from streamapp.kafka.lease import Lease
from streamapp.kafka.refusals import RefusedError, name_of, standing
from streamapp.settings import PREFIX
from streamapp.worker.app import App
from streamapp.worker.static_member import FencedError

__all__ = ["ConsumerThread"]

#: Seconds between two questions for a topic that was just made: a broker tells of it some ms later.
METADATA_RETRY_S: Final = 0.02
#: Seconds between two looks whether aiokafka has stopped to take part in the group.
COORDINATOR_CHECK_INTERVAL_S: Final = 1.0
#: The error code of a static member whose place another one has (FENCED_INSTANCE_ID), which aiokafka does not know.
FENCED_INSTANCE_ID: Final = 82
#: Seconds to leave the group when the worker stops; a broker that is away is not waited for.
LEAVE_TIMEOUT_S: Final = 2.0


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread in which aiokafka runs, so that heartbeats go on while an agent works."""

    app: App

    def __post_init__(self) -> None:
        super().__post_init__()
        #: How long this worker may send what comes of its partitions.
        self.lease = Lease()

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        conf = self.app.conf
        # Only now is the web port known for certain, since `faust worker --web-port` sets it late.
        conf.consumer_group_instance_id = self.app.settings.member_id(conf.web_port)
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = self.app.settings.isolation_level
        return consumer

    @property
    def aiokafka(self) -> AIOKafkaConsumer:
        """The aiokafka consumer that Faust has started."""
        return self._ensure_consumer()

    @property
    def _coordinator(self) -> GroupCoordinator | None:
        """What takes part in the group; None = this worker does not, or not yet."""
        coordinator = self._consumer and self._consumer._coordinator
        return coordinator if isinstance(coordinator, GroupCoordinator) else None

    async def on_start(self) -> None:
        """Start aiokafka's consumer."""
        await super().on_start()
        if self._consumer is not None:
            _fetch_nothing(self._consumer._fetcher)
        if (coordinator := self._coordinator) is not None:
            self.lease.follow(coordinator)
            self._ask_before_joining_again(coordinator)

    def _ask_before_joining_again(self, coordinator: GroupCoordinator) -> None:
        """Have a member that the group has put out see, before it joins again, whether another one has its place.

        It would take that from the other one in turn: the heartbeats and commits of aiokafka are of versions that say
        no static id, so that the broker does not tell that this member is fenced, but that it is unknown.
        """
        send, member = coordinator._send_req, ""

        async def ask_before(request: Request) -> object:
            nonlocal member
            member = coordinator.member_id or member
            if isinstance(request, JoinGroupRequest) and member and not coordinator.member_id:
                await self._stop_if_fenced(coordinator, member)
            answer = await send(request)
            if getattr(answer, "error_code", 0) == FENCED_INSTANCE_ID:
                self.lease.lose()
                await self._stop_if_fenced(coordinator, member)
            return answer

        coordinator._send_req = ask_before

    async def _stop_if_fenced(self, coordinator: GroupCoordinator, member: str) -> None:
        instance, found = coordinator._group_instance_id, []
        with contextlib.suppress(KafkaError):  # a broker that does not tell of groups
            found = await Group(self).members()
        for other in found:
            if other.instance == instance and other.member != member:
                asyncio.run_coroutine_threadsafe(self.app.crash(FencedError(other)), self.parent_loop)
                await asyncio.wait([coordinator._closing])
                raise KafkaError("this worker is in the group no more")

    @Service.task
    async def _stay_in_the_group(self) -> None:
        """Join the group again after an error that passes, for instance an answer of a broker that has just started.

        After an error which it does not know aiokafka stops to take part in the group until it is asked for records
        (`GroupCoordinator.check_errors`), and nobody asks it here.

        Raises:
            KafkaError: if the error does not pass.
        """
        while not self.should_stop:
            await self.sleep(COORDINATOR_CHECK_INTERVAL_S)
            if (coordinator := self._coordinator) is None:
                continue
            failed = coordinator._coordination_task.done()
            if coordinator._pending_exception is not None:
                coordinator.request_rejoin()  # first: aiokafka goes on with the next line
            try:
                coordinator.check_errors()
            except InvalidSessionTimeoutError as exc:
                refused = RefusedError(
                    f"{PREFIX}SESSION_TIMEOUT={self.app.settings.session_timeout:g}: the broker takes no session of "
                    f"this length (group.min.session.timeout.ms, group.max.session.timeout.ms: {exc.message})"
                )
                asyncio.run_coroutine_threadsafe(self.app.crash(refused), self.parent_loop)
                return
            except KafkaError as exc:
                if failed or not (passes(exc) or standing(type(exc))):
                    raise
                try:
                    if standing(type(exc)):
                        self.app.patience.failed(name_of(exc, self.app.conf.id), exc)
                except RefusedError as refused:  # it is of no use to try it again
                    asyncio.run_coroutine_threadsafe(self.app.crash(refused), self.parent_loop)
                    return
                self.log.warning("Joining the group again: %r", exc)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe, once the broker tells of changelogs and topics between agents, which may just have been made.

        Partitions that the group's leader has not heard of are assigned to nobody, and it asks for news only after
        minutes (aiokafka's ``metadata_max_age_ms``): till then agents would get records whose table is not there.

        Raises:
            UnknownTopicOrPartitionError: if the broker does not tell of them in time.
        """
        subscribed = set(topics)
        between = {topic for channel in self.app.channels() if channel.internal for topic in channel.topics}
        await self.call_thread(self._await_topics, {*self.app.tables.changelog_topics, *between & subscribed})
        await super().subscribe(subscribed)

    async def _await_topics(self, topics: set[str]) -> None:
        client = self.aiokafka._client
        deadline = time.monotonic() + self.app.conf.broker_request_timeout
        for topic in topics:
            client.add_topic(topic)
        while missing := {topic for topic in topics if client.cluster.partitions_for_topic(topic) is None}:
            if time.monotonic() > deadline:
                raise UnknownTopicOrPartitionError(f"the broker does not know {', '.join(sorted(missing))}")
            await client.force_metadata_update()
            await asyncio.sleep(METADATA_RETRY_S)

    async def wait_until_stopped(self) -> None:
        """Wait until the consumer stops this thread: in a crash of the app, too, which has a last commit to make."""
        await super().wait_until_stopped()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopped.wait(), self.app.conf.broker_session_timeout)

    def _stopped_set(self) -> None:
        # In a crash the thread may have ended by itself: its loop is closed, and nobody there waits any more.
        with contextlib.suppress(RuntimeError):
            super()._stopped_set()

    async def on_thread_stop(self) -> None:
        """Leave the group, so that the others get the partitions at once.

        aiokafka (`GroupCoordinator._maybe_leave_group`) does not leave for a member with a static id (KIP-345):
        a worker that stops for good would block its partitions for the session timeout. The id is there for
        the worker that is killed and comes back.
        """
        if self._coordinator is not None:
            self._coordinator._group_instance_id = None
        # While the broker is away aiokafka's fetcher ends as if this, and not its own task, had been cancelled; the
        # thread would die of it, and nobody learn that it has stopped. Hence a task.
        closing = asyncio.ensure_future(super().on_thread_stop())
        done, _ = await asyncio.wait({closing}, timeout=LEAVE_TIMEOUT_S)
        if not done:
            closing.cancel()
        elif not closing.cancelled():
            closing.result()

    def polled(self) -> None:
        """Take note that the agents' loop goes on: the place in the group depends on it (``max.poll.interval.ms``)."""
        with self.aiokafka._subscription.fetch_context():
            pass

    async def refresh(self) -> None:
        """Have aiokafka ask for the topics again: what the group's leader knows of them decides who gets what."""
        await self.call_thread(self.aiokafka._client.force_metadata_update)

    def rejoin(self) -> None:
        """Have the group rebalance, so that what was not committed is read again."""
        if self._coordinator is not None:
            self.thread_loop.call_soon_threadsafe(self._coordinator.request_rejoin)


def _fetch_nothing(fetcher: Fetcher) -> None:
    """Have an aiokafka fetcher see to the positions only, which begin at the committed offsets."""
    actions = fetcher._get_actions_per_node

    def without_fetches(assignment: Assignment) -> tuple[object, ...]:
        _, *others = actions(assignment)
        return [], *others

    fetcher._get_actions_per_node = without_fetches
