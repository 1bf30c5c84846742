"""What an app without a hop needs at the start: one partition, and nothing left between its agents of before."""

from __future__ import annotations

from typing import Final

from faust.types import TP

from streamapp.kafka.admin import ClusterError
from streamapp.kafka.log_reader import Log, LogError
from streamapp.worker.start import Start

__all__ = ["check_left", "check_single"]

#: Records that are left, up to which they are counted.
COUNTED: Final = 1_000
#: Seconds that this may take.
PATIENCE_S: Final = 30.0


def check_single(start: Start) -> None:
    """Check that topics which may have one partition only have one.

    Raises:
        ClusterError: if one has more.
    """
    for topic, why in start.app.declared.single.items():
        if (count := start.inputs[topic]) > 1:
            raise ClusterError(f"{topic} has {count} partitions, and {why}")


def check_left(start: Start) -> None:
    """Check that nothing is left in a topic between agents that nobody reads any more.

    Raises:
        ClusterError: if something is, or the broker does not tell.
    """
    for topic, setting in start.app.declared.left.items():
        tps = [TP(topic, number) for number in range(start.existing.get(topic, 0))]
        if not tps:
            continue
        try:
            with Log(start.app.settings, patience=PATIENCE_S) as log:
                read, bounds = log.committed(tps), log.bounds(tps)
                ranges = {tp: (max(first, read.get(tp, first)), end) for tp, (first, end) in bounds.items()}
                left = sum(one.lag for one in log.remaining(ranges, at_most=COUNTED).values())
        except LogError as exc:
            raise ClusterError(f"cannot read {topic}: {exc}") from None
        if left:
            raise ClusterError(
                f"{left} records are left in {topic}, which would not be read any more: run the worker with {setting} "
                "until they are (streamapp lag)"
            )
