"""Watches the topics that a worker reads, and its changelogs: whether they are there, the same, and as large as before.

Records are fetched by a topic's name. Of one that was deleted and made anew under the same name the worker would read
on where it had got to in the old one, and skip what comes before without a word. And a worker whose tables have other
partitions than their topics must not go on: aiokafka asks for the metadata of its topics after minutes only, and then
rebalances; Faust's assignor (0.15.3) puts those with equally many partitions together, and would part a topic that has
got more from its table. So the broker is asked every few seconds, and at once when a fetch fails, which all do of a
topic that is deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final, Protocol

from aiokafka.errors import KafkaError
from faust.types import TP
from mode import Service

from streamapp.errors import StreamappError
from streamapp.kafka.reader import Reader
from streamapp.kafka.topic_metadata import Described, describe
from streamapp.rate_limit import RateLimit
from streamapp.runtime.positions import Positions
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.worker.app import App
from streamapp.worker.growth import advice, free_topics

__all__ = ["TopicWatch"]

#: Seconds between two looks, and between those at topics whose fetches fail, or that are gone.
CHECK_INTERVAL_S: Final = 5.0
URGENT_CHECK_INTERVAL_S: Final = 0.5
#: Seconds that the broker has for its answer before a generation begins.
DESCRIBE_TIMEOUT_S: Final = 5.0
#: Seconds before the same change has the group rebalance again, if it did not help.
REBALANCE_INTERVAL_S: Final = 30.0


class PartitionsChangedError(StreamappError):
    """Topics have got other partitions than their tables have: the worker stops. The text is one line."""


class WatchedConsumer(Protocol):
    """The consumer, as far as its topics are watched."""

    reader: Reader
    positions: Positions
    #: The partitions whose records agents get.
    inputs: frozenset[TP]

    async def refresh(self) -> None:
        """Have the group's leader, if it is this worker, know the topics as they are now."""

    def rejoin(self) -> None:
        """Have the group rebalance."""


class TopicWatch(Service):
    """Has the group rebalance when a topic was made anew; stops the worker if keys are in other partitions now.

    That is when a topic that is joined, or kept in a table, has got more partitions than before the start
    (`App.partition_counts`). Those of other topics are read, too, after a rebalance.
    """

    def __init__(self, app: App, consumer: WatchedConsumer) -> None:
        super().__init__()
        self._app = app
        self._consumer = consumer
        self._due = asyncio.Event()
        #: Topics that were missing at the last look, and those that are told to be gone.
        self._missing: set[str] = set()
        self._gone: set[str] = set()
        #: Ids of topics that others have taken the place of: a broker may not have heard of it yet.
        self._replaced: set[str] = set()
        self._acting = RateLimit(REBALANCE_INTERVAL_S)

    def look(self) -> None:
        """Look now."""
        self._due.set()

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            reader = self._consumer.reader
            urgent = self._missing or (reader.consumer is not None and reader.fetching.doubtful)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), URGENT_CHECK_INTERVAL_S if urgent else CHECK_INTERVAL_S)
            self._due.clear()
            names = {tp.topic for tp in self._consumer.inputs}.union(
                self._app.declared.inputs, self._app.tables.changelog_topics
            )
            if not names or reader.consumer is None:
                continue
            try:
                topics = await describe(reader.client, names | self._app.partition_counts.keys())
                if await self._check_counts(topics) and not self._app.rebalancing:
                    await self._see(names, topics)
            except KafkaError as exc:  # a broker that is away is told of elsewhere
                self.log.debug("Topics are not told: %r", exc)
                await self.sleep(URGENT_CHECK_INTERVAL_S)

    async def passed(self) -> bool:
        """Ask for the numbers of partitions; return whether the worker may go on: else it is about to stop."""
        if self._consumer.reader.consumer is None:
            return True
        try:
            async with asyncio.timeout(DESCRIBE_TIMEOUT_S):
                topics = await describe(self._consumer.reader.client, self._app.partition_counts.keys())
        except (KafkaError, TimeoutError):
            return True  # a broker that is away; the next look asks again
        return await self._check_counts(topics)

    async def _check_counts(self, topics: Mapping[str, Described]) -> bool:
        expected = self._app.partition_counts
        found = {topic: told.partitions for topic, told in topics.items() if topic in expected and told.partitions}
        changed = {topic: count for topic, count in found.items() if count != expected[topic]}
        if not changed:
            return True
        told = " and ".join(
            f"{topic} has {count} partitions now, not {expected[topic]}" for topic, count in changed.items()
        )
        if changed.keys() <= free_topics(self._app):
            expected.update(changed)
            self.log.warning("%s: they are read after a rebalance", told)
            await self._consumer.refresh()
            return True
        text = f"{told}: keys are in others than before, and joins would be wrong; "
        text += advice(self._app, {**expected, **found})
        self._app.faults.report("partitions", text)
        await self._app.crash(PartitionsChangedError(text))
        return False

    async def _see(self, names: set[str], topics: Mapping[str, Described]) -> None:
        missing = names - topics.keys()
        await self._tell_missing(missing & self._missing, topics)
        self._missing = missing
        new = {topic: told.id for topic, told in topics.items() if told.id not in self._replaced}
        ids = self._consumer.positions.ids
        changed = {topic: id_ for topic, id_ in ids.items() if new.get(topic) is not None and new[topic] != id_}
        self._consumer.reader.fetching.trust(topics.keys() - changed.keys())
        due = [topic for topic in changed if self._acting.due((topic, new[topic]))]
        for topic in due:
            self.log.warning("%s was deleted and made anew; the group rebalances, and begins with the new one", topic)
            self._replaced.add(changed[topic])
        owned = self._app.row_tables.partitions(active=True)
        if [rows for rows in owned if self._is_renewed(rows, new.get(rows.changelog.topic))] or due:
            await self._rebalance()

    async def _tell_missing(self, gone: set[str], topics: Mapping[str, Described]) -> None:
        for topic in gone - self._gone:
            text = f"the topic {topic} is not there any more: nothing is read of it, or can be committed to it"
            self.log.error("%s", text)
            self._app.faults.report(("gone", topic), text)
        back = self._gone & topics.keys()
        self._gone = (self._gone | gone) - back
        for topic in back:
            self._app.faults.over(("gone", topic))
            self._app.patience.over(topic)
            self.log.warning("%s is there again", topic)
        if back:
            await self._rebalance()

    def _is_renewed(self, rows: Uncommitted, topic_id: str | None) -> bool:
        """Return whether the changelog of rows that this worker owns was made anew; then take note of it."""
        standing = rows.committed.standing
        if standing.successor is None and (topic_id is None or standing.topic_id in (None, topic_id)):
            return False
        if standing.successor is None and topic_id is not None:
            rows.committed.stand(standing.succeeded_by(topic_id))
        return self._acting.due((rows.changelog, topic_id))

    async def _rebalance(self) -> None:
        await self._consumer.refresh()
        self._consumer.rejoin()
