"""Hops: what an agent writes from one topic to another one, whose records are joined.

A record that is acknowledged in the first topic is in the second a moment later. Whoever waits for what the broker has
of the second has to wait for that moment, too; else a click that is read before its profile has come through would be
taken for one without a profile. The records of the first topic are through once their offsets are committed, by
whichever worker: their copies are on the broker by then.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from faust.types import TP

from streamapp.kafka.group import Group
from streamapp.kafka.reader import Reader
from streamapp.rate_limit import RateLimit
from streamapp.runtime.alignment import Alignment

__all__ = ["Hops"]

logger = logging.getLogger(__name__)

#: Seconds between two looks at what is committed, at first and at most.
COMMITTED_CHECK_INTERVAL_S, COMMITTED_CHECK_INTERVAL_MAX_S = 0.01, 0.2
#: Seconds between two commits that are made since somebody waits for them, and between two log lines.
COMMIT_INTERVAL_S: Final = 0.1
HOPS_LOG_INTERVAL_S: Final = 10.0


@dataclasses.dataclass
class Hops:
    """Tells when what was in the first topics has come through to the second ones."""

    #: By each second topic, the one that it is written from.
    first: Mapping[str, str]
    reader: Reader
    alignment: Alignment
    group: Group
    #: Is set to have what is done committed soon.
    commit_due: asyncio.Event
    session_timeout_s: float

    def __post_init__(self) -> None:
        self._logged = RateLimit(HOPS_LOG_INTERVAL_S)
        self._due = RateLimit(COMMIT_INTERVAL_S)
        #: By partition, up to where it is committed although it should go further, for so long that it is given up.
        self._stuck: dict[TP, int] = {}

    def over(self, partitions: Iterable[TP]) -> frozenset[str]:
        """Return the first topics of those partitions that are of second ones."""
        return frozenset(self.first[tp.topic] for tp in partitions if tp.topic in self.first)

    async def written_so_far(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Return up to where partitions of second topics may have records of other workers, or earlier generations.

        Raises:
            KafkaError: if it is not to be learnt now.
        """
        second = {tp for tp in partitions if tp.topic in self.first}
        for topic in {tp.topic for tp in second}:
            await self.reader.partitions(topic)  # which has the reader know who leads them
        _, ends = await self.reader.bounds(second)
        return ends

    async def passed(self, topics: Collection[str], current: Callable[[], bool]) -> bool:
        """Wait until all that is in first topics now has come through, as long as that is still worth it (`current`).

        One that gets no further for longer than it takes until another worker has a partition (twice the session
        timeout) is waited for no more, and told.

        Returns:
            whether it has; else it is worth it no more.

        Raises:
            KafkaError: if it is not to be learnt how far they go.
        """
        missing = await self._ends(topics)
        moved = time.monotonic()
        began, look, reached = moved, COMMITTED_CHECK_INTERVAL_S, dict.fromkeys(missing, -1)
        while True:
            for tp, offset in (await self._reached(missing)).items():
                if offset > reached[tp]:
                    reached[tp], moved = offset, time.monotonic()
            behind = {tp: end for tp, end in missing.items() if reached[tp] < end}
            missing = {tp: end for tp, end in behind.items() if self._stuck.get(tp) != reached[tp]}
            if not missing or not current():
                return not missing
            now = time.monotonic()
            if now - moved > 2 * self.session_timeout_s:
                logger.error("Records wait no more for %s; they may miss matches", _told(missing, reached))
                self._stuck.update((tp, reached[tp]) for tp in missing)
            elif now - began > HOPS_LOG_INTERVAL_S and self._logged.due("waits"):
                logger.warning("Records wait for %s", _told(missing, reached))
            if self._due.due("commit"):
                self.commit_due.set()
            await asyncio.sleep(look)
            look = min(2 * look, COMMITTED_CHECK_INTERVAL_MAX_S)

    async def _ends(self, topics: Collection[str]) -> dict[TP, int]:
        """Return up to where topics go that have records."""
        tps = [TP(topic, number) for topic in topics for number in await self.reader.partitions(topic)]
        begins, ends = await self.reader.bounds(tps)
        return {tp: end for tp, end in ends.items() if end > begins[tp]}

    async def _reached(self, partitions: Mapping[TP, int]) -> dict[TP, int]:
        """Return up to where partitions are committed; of those of this worker behind what cannot be read, too."""
        assigned = set(self.alignment.assigned)
        here = {tp: self.alignment.reached(tp) for tp in partitions if tp in assigned}
        elsewhere = [tp for tp in partitions if tp not in here]
        return {**here, **(await self.group.reached(elsewhere) if elsewhere else {})}


def _told(missing: Mapping[TP, int], reached: Mapping[TP, int]) -> str:
    return "; ".join(
        f"{tp.topic}[{tp.partition}] to be written once more by its key, from offset {max(0, reached[tp])} to {end}"
        for tp, end in sorted(missing.items())
    )
