"""Watches the topics that a worker reads and its changelogs: whether they are still there, and still the same.

Records are fetched by a topic's name. Of one that was deleted and made anew under the same name the worker would read
on where it had got to in the old one, and skip what comes before without a word. So it looks at the topics' ids every
few seconds, and at once when a fetch fails, which all do of a topic that is deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.errors import KafkaError
from faust.types import TP
from mode import Service

from streamapp.kafka.topic_metadata import Described, describe
from streamapp.rate_limit import RateLimit
from streamapp.runtime.uncommitted import Uncommitted

__all__ = ["TopicWatch"]

#: Seconds between two looks, and between those at topics whose fetches fail, or that are gone.
LOOK_S: Final = 10.0
LOOK_AGAIN_S: Final = 0.5
#: Seconds before the same change has the group rebalance again, if it did not help.
ACT_AGAIN_S: Final = 30.0


class TopicWatch(Service):
    """Has the group rebalance, and so begin where it should, when a topic was made anew.

    Args:
        app: the app.
        consumer: its consumer.
    """

    def __init__(self, app: Any, consumer: Any, **kwargs: Any) -> None:
        self._app = app
        self._consumer = consumer
        self._due = asyncio.Event()
        #: Topics that were missing at the last look, and those that are told to be gone.
        self._missing: set[str] = set()
        self._gone: set[str] = set()
        #: Ids of topics that others have taken the place of: a broker may not have heard of it yet.
        self._replaced: set[str] = set()
        self._acting = RateLimit(ACT_AGAIN_S)
        super().__init__(**kwargs)

    def look(self) -> None:
        """Look now."""
        self._due.set()

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            urgent = self._missing or self._doubtful
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), LOOK_AGAIN_S if urgent else LOOK_S)
            self._due.clear()
            names = self._names()
            if not names or self._app.rebalancing:
                continue
            try:
                topics = await describe(self._consumer.reader.client, names)
                await self._see(names, topics)
            except KafkaError as exc:  # a broker that is away is told of elsewhere
                self.log.debug("Topics are not told: %r", exc)
                await self.sleep(LOOK_AGAIN_S)

    @property
    def _doubtful(self) -> set[TP]:
        reader = self._consumer.reader
        return reader.fetching.doubtful if reader.consumer is not None else set()

    def _names(self) -> set[str]:
        inputs = {tp.topic for tp in self._consumer.inputs}
        return inputs | set(self._app.declared.inputs) | set(self._app.tables.changelog_topics)

    async def _see(self, names: set[str], topics: Mapping[str, Described]) -> None:
        missing = names - topics.keys()
        await self._tell_missing(missing & self._missing, topics)
        self._missing = missing
        new = {topic: told.id for topic, told in topics.items() if told.id not in self._replaced}
        changed = {
            topic: id_
            for topic, id_ in self._consumer.positions.ids.items()
            if new.get(topic) is not None and new[topic] != id_
        }
        self._consumer.reader.fetching.trust(topics.keys() - changed.keys())
        due = [topic for topic in changed if self._acting.due((topic, new[topic]))]
        for topic in due:
            self.log.warning("%s was deleted and made anew; the group rebalances, and begins with the new one", topic)
            self._replaced.add(changed[topic])
        renewed = [rows for rows in self._tables() if self._is_renewed(rows, new.get(rows.changelog.topic))]
        if due or renewed:
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

    def _tables(self) -> list[Uncommitted]:
        """Return the rows that this worker owns."""
        actives = self._app.assignor.assigned_actives()
        tables = [table.data for table in self._app.row_tables]
        return [rows for data in tables for rows in data.partitions.values() if rows.changelog in actives]

    async def _rebalance(self) -> None:
        await self._consumer.refresh()
        self._consumer.rejoin()
