"""A group's coordinator, which is asked again while it has only just become one, as on a broker that was just made."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

__all__ = ["COORDINATOR_RETRY_S", "COORDINATOR_S", "coordinated"]

T = TypeVar("T")

#: Seconds within which a group has a coordinator, and before one that it has only just got is asked again.
COORDINATOR_S: Final = 30.0
COORDINATOR_RETRY_S: Final = 0.1
#: What such a coordinator says meanwhile.
NOT_YET: Final = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError._WAIT_COORD,
    }
)


def coordinated(question: Callable[[], T]) -> T:
    """Return what a coordinator answers, once it is one; blocks.

    Raises:
        KafkaException: if it refuses, or does not become one in time.
    """
    deadline = time.monotonic() + COORDINATOR_S
    while True:
        try:
            return question()
        except KafkaException as exc:
            if exc.args[0].code() not in NOT_YET or time.monotonic() > deadline:
                raise
            time.sleep(COORDINATOR_RETRY_S)
