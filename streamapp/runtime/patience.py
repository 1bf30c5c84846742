"""Patience with a broker that does not take what it gets: what fails is tried again, less and less often.

What lasts for some seconds is a problem at ``/health``. What only somebody else can mend, such as a topic that is gone,
is tried for a bounded time; then the worker stops, which is seen where a worker that does nothing is not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

from aiokafka.errors import UnknownTopicOrPartitionError

from streamapp.kafka.refusals import RefusedError, standing, text_of
from streamapp.rate_limit import RateLimit
from streamapp.runtime.problems import Problems

__all__ = ["Patience"]

logger = logging.getLogger(__name__)

#: Seconds before what has failed is tried again: the first time, doubled each time, and at most.
RETRY_BACKOFF_S: Final = 0.1
RETRY_BACKOFF_MAX_S: Final = 5.0
#: Seconds from which on what goes wrong is a problem.
PROBLEM_AFTER_S: Final = 3.0
#: Seconds for which it is tried again what only somebody else can mend; a topic may be deleted to be made anew.
MISSING_TOPIC_TIMEOUT_S: Final = 30.0
FORBIDDEN_TIMEOUT_S: Final = 10.0
#: Seconds without a failure after which the next one is a new trouble.
TROUBLE_EXPIRY_S: Final = 60.0
#: Seconds between two log lines of the same trouble.
TROUBLE_LOG_INTERVAL_S: Final = 10.0


class Trouble(NamedTuple):
    """What fails: since when, when it did last (s), and how often so far."""

    since: float
    last: float
    times: int


class Patience:
    """Counts what fails one time after the other."""

    def __init__(self, problems: Problems, now_s: Callable[[], float] = time.monotonic) -> None:
        self._problems = problems
        self._now_s = now_s
        self._logged = RateLimit(TROUBLE_LOG_INTERVAL_S, now_s)
        self._troubles: dict[Hashable, Trouble] = {}

    def failed(self, name: str, error: BaseException) -> float:
        """Take note that something has failed, and return how many seconds to wait before it is tried again.

        Args:
            name: of the topic, the consumer group or the transactional id that the error is about.
            error: what the broker says.

        Raises:
            RefusedError: if it was tried often enough.
        """
        now = self._now_s()
        trouble = self._troubles.get(name)
        if trouble is None or now - trouble.last > TROUBLE_EXPIRY_S:
            trouble = Trouble(now, now, 0)
        trouble = self._troubles[name] = Trouble(trouble.since, now, trouble.times + 1)
        lasts = now - trouble.since
        if standing(type(error)):
            self._tell(name, text_of(error, name), lasts, error)
        elif lasts >= PROBLEM_AFTER_S:
            text = f"what is done cannot be committed for {lasts:.0f} s, and is done again: {type(error).__name__}"
            self._problems.report((Patience, name), text)
        return min(RETRY_BACKOFF_S * 2.0 ** min(trouble.times - 1, 10), RETRY_BACKOFF_MAX_S)

    def _tell(self, name: str, text: str, lasts: float, error: BaseException) -> None:
        at_most = MISSING_TOPIC_TIMEOUT_S if isinstance(error, UnknownTopicOrPartitionError) else FORBIDDEN_TIMEOUT_S
        if lasts > at_most:
            raise RefusedError(f"{text}; tried again for {lasts:.0f} s")
        self._problems.report((Patience, name), text)
        if self._logged.due(name):
            logger.error("%s; it is tried again for %.0f s", text, at_most - lasts)

    def over(self, name: str) -> None:
        """Take note that what has failed goes well now; nothing happens if nothing has failed."""
        if self._troubles.pop(name, None) is not None:
            self._problems.over((Patience, name))
