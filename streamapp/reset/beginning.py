"""Where a new group begins (``join --from``)."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from faust.types import TP

from streamapp.kafka.admin import Cluster
from streamapp.kafka.clients import aiokafka
from streamapp.kafka.commit_metadata import CommitMetadata
from streamapp.reset.errors import ResetError
from streamapp.reset.group import Group, HasWorkersError
from streamapp.reset.inventory import of_app
from streamapp.reset.where import Where
from streamapp.settings import Settings

if TYPE_CHECKING:
    from streamapp.topology.app import App

__all__ = ["begin"]

#: Seconds in which a group has to have a coordinator, the first one of a cluster too, and between two looks for it.
COORDINATOR_S: Final = 30.0
AGAIN_S: Final = 0.1


def begin(app: App, where: Where) -> None:
    """Have an app that is new begin to read its streams somewhere; tables are read from their beginning.

    What it was told is committed along with the offsets: when it is started again in the same way, it goes on.

    Raises:
        ResetError: if the app has begun already, and elsewhere.
        ClusterError: if the broker is not there.
    """
    if _has_begun(app, where):
        return
    cluster = Cluster(app.settings)
    group, counts, inventory = Group(app.settings, cluster, app.conf.id), cluster.partitions(), of_app(app)
    streams = (inventory.inputs - inventory.tables) & counts.keys()
    places = {TP(topic, number): where for topic in streams for number in range(counts[topic])}
    try:
        group.place(group.find(places), where.text)
    except HasWorkersError:
        if not _has_begun(app, where):  # another worker was started at the same time
            raise
    print(f"{app.conf.id} begins at {where}", file=sys.stderr)


def _has_begun(app: App, where: Where) -> bool:
    """Tell whether the group has begun, and there.

    Raises:
        ResetError: if it has begun elsewhere.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        committed = runner.run(_committed(app.settings, app.conf.id))
    if not committed:
        return False
    if where.text not in {metadata.began for metadata in committed.values()}:
        topics = ", ".join(sorted({tp.topic for tp in committed}))
        raise ResetError(
            f"--from {where.text} is for a new group, and {app.conf.id} has read {topics} already: without --from it "
            f"goes on, and `{app.reset_command} --from {where.text}` begins again"
        )
    print(f"{app.conf.id} has begun at {where.text} before, and goes on", file=sys.stderr)
    return True


async def _committed(settings: Settings, group: str) -> dict[TP, CommitMetadata]:
    """Return what was committed along with offsets; confluent-kafka (2.16) reads beyond the end of that."""
    admin = AIOKafkaAdminClient(**aiokafka(settings))
    deadline = time.monotonic() + COORDINATOR_S
    try:
        await admin.start()
        while True:
            try:
                found = await admin.list_consumer_group_offsets(group)
            except KafkaError as exc:
                if not exc.retriable or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(AGAIN_S)
            else:
                return {TP(*tp): CommitMetadata.parse(one.metadata) for tp, one in found.items() if one.offset >= 0}
    except KafkaError as exc:
        raise ResetError(f"the offsets of {group} are not to be had: {exc}") from None
    finally:
        await admin.close()
