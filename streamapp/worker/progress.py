"""How far this worker is with the topics of a join, for who asks about single records."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final

from faust.types import TP

from streamapp.worker.app import App

__all__ = ["Progress"]

#: Seconds between two looks whether a batch is done.
POLL_INTERVAL_S: Final = 0.01


class Progress:
    """How far this worker is, partition by partition; its methods raise a KeyError for one that it does not have."""

    def __init__(self, app: App, topics: Collection[str]) -> None:
        self._app = app
        self._topics = topics

    def read(self, partition: int) -> dict[TP, int]:
        """Return of each topic the offset after the last record that the agents are done with."""
        lanes = self._app.batch_consumer.alignment.lanes
        found = {}
        for tp in (TP(topic, partition) for topic in self._topics):
            done = [at for at in (lanes[tp].offsets.committable, lanes[tp].committed) if at is not None]
            if not done:  # where it goes on is not known yet
                raise KeyError(tp)
            found[tp] = max(done)
        return found

    async def commit(self, partition: int) -> None:
        """Wait until the agents are done with what they have begun, and what they sent is committed."""
        alignment = self._app.batch_consumer.alignment
        lanes = [alignment.lanes[TP(topic, partition)] for topic in self._topics]
        begun = [(lane, lane.offsets.committable) for lane in lanes if lane.working]
        while any(lane.offsets.committable == at for lane, at in begun):  # noqa: ASYNC110 - it is asked seldom
            await asyncio.sleep(POLL_INTERVAL_S)
        await self._app.consumer.commit()
        if self._app.batch_consumer.alignment is not alignment or self._app.rebalancing:
            raise KeyError(partition)
