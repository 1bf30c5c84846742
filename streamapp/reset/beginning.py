"""Where a new group begins (``join --from``)."""

from __future__ import annotations

import sys

from faust.types import TP

from streamapp.kafka.admin import Cluster
from streamapp.kafka.consumer_group import ConsumerGroup, HasWorkersError
from streamapp.reset.inventory import of_app
from streamapp.reset.plan import ResetError
from streamapp.reset.survey import find_offsets
from streamapp.reset.where import Where
from streamapp.topology.app import App

__all__ = ["begin"]


def begin(app: App, where: Where) -> None:
    """Have an app that is new begin to read its streams somewhere; tables are read from their beginning.

    What it was told is committed along with the offsets: when it is started again in the same way, it goes on.

    Raises:
        ResetError: if the app has begun already, and elsewhere.
        ClusterError: if the broker is not there.
    """
    cluster = Cluster(app.settings)
    group = ConsumerGroup(cluster, app.conf.id)
    if _has_begun(app, group, where):
        return
    counts, inventory = cluster.partitions(), of_app(app)
    streams = (inventory.inputs - inventory.tables) & counts.keys()
    places = {TP(topic, number): where for topic in streams for number in range(counts[topic])}
    try:
        group.place(find_offsets(cluster, places), where.text)
    except HasWorkersError:
        if not _has_begun(app, group, where):  # another worker was started at the same time
            raise
    print(f"{group.name} begins at {where}", file=sys.stderr)


def _has_begun(app: App, group: ConsumerGroup, where: Where) -> bool:
    """Return whether the group has begun, and there; a ResetError if it has begun elsewhere."""
    committed = group.committed()
    if not committed:
        return False
    if where.text not in {metadata.began for _, metadata in committed.values()}:
        topics = ", ".join(sorted({tp.topic for tp in committed}))
        raise ResetError(
            f"--from {where.text} is for a new group, and {group.name} has read {topics} already: without --from it "
            f"goes on, and `{app.reset_command} --from {where.text}` begins again"
        )
    print(f"{group.name} has begun at {where.text} before, and goes on", file=sys.stderr)
    return True
