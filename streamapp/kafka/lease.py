"""The lease on a worker's partitions: until when no other worker can have them, as far as this one can tell.

The broker takes a member for dead that it has not heard of for the session timeout, and gives its partitions away. A
worker that was frozen (SIGSTOP, a virtual machine that is suspended, a host without CPU) does not know that when it
wakes up, and its producer would go on with what it was at: rows in a changelog, behind newer ones of the new owner.
Transactions are fenced by the broker; without them time is what fences. The broker counts from when it gets a
heartbeat, and this side from when it sends it, which is earlier: who sends nothing after the session timeout sends
nothing that the broker could have given to others.

Read from aiokafka 0.14.0 (`aiokafka/consumer/group_coordinator.py`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from aiokafka.errors import RebalanceInProgressError
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

from streamapp.kafka.insides import Coordinator, Response

__all__ = ["Lease", "elapsed"]

#: Where there is none, a clock that stands still while the host is suspended has to do.
CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return the time (s) since some moment; it goes on while the host is suspended."""
    return time.clock_gettime(CLOCK)


class Lease:
    """How long a worker may send what comes of its partitions; used by two threads."""

    def __init__(self, now: Callable[[], float] = elapsed) -> None:
        self._now = now
        self._until = math.inf
        #: When the last request was sent whose answer did not tell of a rebalance.
        self._settled = -math.inf
        #: How often the partitions were taken away, or left, without having been given back before.
        self.losses = 0

    @property
    def holds(self) -> bool:
        """Whether no other worker can have the partitions."""
        return self._now() < self._until

    def renew(self, sent: float, session_s: float, rebalance_s: float, *, rebalancing: bool) -> None:
        """Take note that the broker has answered a member of the group.

        Args:
            sent: when (s) the request was sent.
            session_s: the session timeout.
            rebalance_s: how long a rebalance may last: who has not joined by then is out, heartbeats or not.
            rebalancing: whether one is under way.
        """
        if not rebalancing:
            self._settled = sent
        self._until = min(sent + session_s, self._settled + rebalance_s)

    def lose(self) -> None:
        """Take note that this worker is not in the group any more."""
        self.losses += 1

    def follow(self, coordinator: Coordinator) -> None:
        """Have an aiokafka coordinator tell of its answers, and of its end as a member."""
        send, reset = coordinator._send_req, coordinator.reset_generation
        session_s, rebalance_s = coordinator._session_timeout_ms / 1000, coordinator._rebalance_timeout_ms / 1000

        async def send_and_tell(request: object) -> Response:
            sent = self._now()
            answer = await send(request)
            if isinstance(request, (HeartbeatRequest, SyncGroupRequest)):
                rebalancing = answer.error_code == RebalanceInProgressError.errno
                if answer.error_code == 0 or (rebalancing and isinstance(request, HeartbeatRequest)):
                    self.renew(sent, session_s, rebalance_s, rebalancing=rebalancing)
            return answer

        def reset_and_tell() -> None:
            self.lose()
            reset()

        coordinator._send_req, coordinator.reset_generation = send_and_tell, reset_and_tell
