"""What a fault is injected into: a broker, workers, and the workload that runs meanwhile."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from broker import Broker
from clock import Clock
from confluent_kafka import KafkaException
from topics import Topics
from workers import Workers
from workload import Workload

__all__ = ["System", "Unsettled"]

#: Seconds for all input to be read and committed after a fault: more than Kafka's and aiokafka's longest timeouts.
SETTLE = 100.0


class Unsettled(Exception):
    """The workers have not come to the end of the input."""


@dataclasses.dataclass(frozen=True)
class System:
    broker: Broker
    topics: Topics
    workers: Workers
    workload: Workload
    clock: Clock

    def committed(self) -> dict[str, int]:
        """Return how many records of each input topic are committed; -1 = the broker does not answer."""
        try:
            return {name: self.topics.committed(name) for name in self.workload.inputs}
        except KafkaException:
            return dict.fromkeys(self.workload.inputs, -1)

    def settle(self) -> None:
        """Wait until all that was produced is read and committed, and all is done that has to be.

        Raises:
            Unsettled: if it does not come about.
        """

        def settled() -> bool:
            self.workers.restart_ended()
            sent = {name: self.workload.sent[name] for name in self.workload.inputs}
            return self.committed() == sent and self.workload.done()

        if not _within(SETTLE, settled):
            raise Unsettled(f"committed {self.committed()} of {dict(self.workload.sent)}")

    def wait_commit(self, partition: int) -> None:
        """Produce a slice, and wait until a changelog of the tables gets records: the first step of a commit.

        Its transaction is open then. Returns after some seconds if there is no commit.
        """
        _, tables = self.workload.watched

        def ends() -> list[int]:
            return [self.topics.changelog_end(table, partition) for table in tables]

        before = ends()
        with self.workload.turn:
            self.workload.slice()
        _within(5.0, lambda: ends() != before, every=0.0)


def _within(seconds: float, condition: Callable[[], bool], every: float = 0.05) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True
