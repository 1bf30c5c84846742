"""The watch: tells when most of what is read comes to nothing, of which nobody would hear else.

It looks at counts once a second. When most records of the last minute were rejected or unmatched, at the beginning of
the first hundred, there is a line in the log with the counts by reason, an example and what to do, and a problem at
``/health``, which names topics and counts only; once the share has fallen, both are over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, NamedTuple, Protocol

from mode import Service

from streamapp.rate_limit import RateLimit
from streamapp.runtime.advice import advice, shortened
from streamapp.runtime.problems import Problems
from streamapp.runtime.tally import Example, Loss, Tally
from streamapp.runtime.work import Rejected

__all__ = ["ByHand", "Finding", "Lookup", "Watch", "Watched"]

logger = logging.getLogger(__name__)

#: Seconds between two looks, and between two log lines of the same, if it comes and goes.
WATCH_LOOK_INTERVAL_S: Final = 1.0
WATCH_LOG_INTERVAL_S: Final = 60.0


class Finding(NamedTuple):
    """What was found when something was looked at."""

    #: Whether most came to nothing.
    bad: bool
    #: What is shown to everybody: topics and counts.
    public: str = ""
    #: Makes what the log gets besides: an example, and what to do.
    detail: Callable[[], str] = str


class Watched(Protocol):
    """Something that is looked at, by a name that nothing else has."""

    name: str

    def look(self, now: float, share: float) -> Finding | None:
        """Judge the last minute before a time (s), of which this share may come to nothing; None = too few records."""


class Lookup(Protocol):
    """What records are looked up in."""

    def advice(self, reason: str, example: Example | None) -> str:
        """Return what to do about records that have no row, by the reason and an example."""


class ByHand:
    """The records of a topic, as the agents take them that are not those of a join."""

    def __init__(self, topic: str, read: Mapping[str, int]) -> None:
        self.name = topic
        self.tally = Tally()
        #: What unmatched ones were looked up in.
        self.lookup: Lookup | None = None
        self._read = read

    def look(self, now: float, share: float) -> Finding | None:
        """Judge the last minute."""
        self.tally.taken = self._read[self.name]
        return judged(self.tally, self.name, now, share, self.lookup)


class Watch(Service):
    """Looks at what is watched, and tells.

    Args:
        problems: where it is shown.
        read: records that the agents are done with, by topic.
        share: of the records may come to nothing.
    """

    def __init__(self, problems: Problems, read: Mapping[str, int], share: float) -> None:
        super().__init__()
        self._problems = problems
        self._read = read
        self._share = share
        self._watched: list[Watched] = []
        self._by_hand: dict[str, ByHand] = {}
        self._told = RateLimit(WATCH_LOG_INTERVAL_S)
        #: What is bad now.
        self.bad: set[str] = set()

    @property
    def names(self) -> list[str]:
        """What is watched."""
        return [watched.name for watched in self._watched]

    def add(self, watched: Watched) -> None:
        """Look at something from now on."""
        self._watched.append(watched)

    def by_hand(self, topic: str) -> ByHand:
        """Return what is watched of a topic's records in agents."""
        if topic not in self._by_hand:
            self._by_hand[topic] = ByHand(topic, self._read)
            self.add(self._by_hand[topic])
        return self._by_hand[topic]

    def rejected(self, one: Rejected) -> None:
        """Count a record that an agent has rejected."""
        self.by_hand(one.tp.topic).tally.reject(one.reason, Example(one.tp, one.record.offset, one.error))

    @Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.sleep(WATCH_LOOK_INTERVAL_S)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Look at all, and tell what has become bad or good."""
        for watched in self._watched:
            finding = watched.look(now, self._share)
            if finding is None or finding.bad is (watched.name in self.bad):
                continue
            if finding.bad:
                self._begin(watched.name, finding)
            else:
                self.bad.discard(watched.name)
                self._problems.over((Watch, watched.name))
                logger.info("Over: most records of %s are used again", watched.name)

    def _begin(self, name: str, finding: Finding) -> None:
        self.bad.add(name)
        self._problems.report((Watch, name), f"{finding.public}; the log says which and what to do")
        if not self._told.due(name):
            return
        try:
            detail = finding.detail()
        except Exception:
            # To look into a store that is away, say: the worker must not end for that, and the counts are known.
            logger.exception("What to do about %s could not be found out", name)
            detail = ""
        logger.warning("%s%s", finding.public, detail)


def judged(tally: Tally, topic: str, now: float, share: float, lookup: Lookup | None) -> Finding | None:
    """Judge a tally of a topic's records."""
    found = tally.look(now, share)
    if found is None:
        return None
    loss, bad = found
    if not bad:
        return Finding(False)
    reason = loss.reasons.most_common(1)[0][0]
    detail = partial(_detail, reason, tally.examples.get(reason), lookup if tally.unmatched[reason] else None)
    return Finding(True, _counts(loss, topic), detail)


def _counts(loss: Loss, topic: str) -> str:
    """Return what came to nothing, in words that name topics and counts only."""
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in loss.reasons.most_common())
    when = "since the start" if loss.from_start else "of the last minute"
    return f"{loss.lost:,} of {loss.taken:,} records of {topic} {when} were rejected or unmatched: {reasons}"


def _detail(reason: str, example: Example | None, lookup: Lookup | None) -> str:
    told, error = "", ""
    if example is not None:
        error = example.error
        place = f"{example.tp.topic}[{example.tp.partition}]@{example.offset}"
        told = f"; for example {place}" + (f": {shortened(error)}" if error else "")
    helps = lookup.advice(reason, example) if lookup is not None else advice(reason, error)
    return f"{told}; {helps}" if helps else told
