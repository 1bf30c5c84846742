"""Topics before the start: the missing ones are made, and joined ones must have equally many partitions."""

from __future__ import annotations

from streamapp.cluster import Cluster, ClusterError
from streamapp.settings import CLICKS, DEAD_LETTERS, JOINED, PREFIX, PROFILES, UNMATCHED, Settings

__all__ = ["prepare"]


def prepare(settings: Settings) -> int:
    """Make the topics of the app that are missing, and check those that are joined.

    Topics that exist keep their partitions; the missing ones get as many as the joined topics have. The table's
    changelog is made here too, so that it has as many.

    Returns:
        the number of partitions of the joined topics.

    Raises:
        ClusterError: if the broker is not there or the joined topics differ in their number of partitions.
    """
    changelog = f"{settings.id}-{PROFILES}-changelog"
    inputs = [settings.topic(PROFILES), settings.topic(CLICKS)]
    outputs = [settings.topic(name) for name in (JOINED, UNMATCHED, DEAD_LETTERS)]
    cluster = Cluster(settings)
    counts = cluster.ensure(inputs)
    if len({counts[topic] for topic in inputs}) > 1:
        told = " and ".join(f"{topic} has {counts[topic]}" for topic in inputs)
        raise ClusterError(
            f"topics that are joined need equally many partitions, but {told}; make the smaller one anew with as "
            f"many, or choose other topics with {PREFIX}TOPIC_PREFIX"
        )
    count = counts[inputs[0]]
    compacted = {"cleanup.policy": "compact"}
    found = cluster.ensure([changelog], partitions=count, config=compacted)[changelog]
    if found != count:
        raise ClusterError(
            f"the changelog {changelog} has {found} partitions, but {inputs[0]} has {count}; delete the changelog, "
            f"or choose another {PREFIX}ID"
        )
    cluster.ensure(outputs, partitions=count)
    return count
