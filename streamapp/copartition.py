"""Topics before the start: the missing ones are made, and joined ones must have equally many partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

from streamapp.batching.output import partition_of
from streamapp.cluster import Cluster, ClusterError
from streamapp.cycles import FlowError, check_flows, returning
from streamapp.inputs import check_inputs
from streamapp.placement import misplaced, sample
from streamapp.settings import PREFIX
from streamapp.stores.table import Table

if TYPE_CHECKING:
    from streamapp.batching.app import App

__all__ = ["prepare"]


def prepare(app: App) -> int:
    """Make the topics of the app that are missing, and check those that are joined.

    Topics that exist keep their partitions; the missing ones get as many as those have that they are joined with. The
    tables' changelogs are made here too, so that they have as many.

    Returns:
        the number of partitions of the topics.

    Raises:
        ClusterError: if the broker is not there, a topic that is read is missing and not to be made, what is sent would
            come back, or topics that are joined differ in their number of partitions, or in where their keys lie.
    """
    _check_flows(app)
    cluster = Cluster(app.settings)
    check_inputs(app, cluster.partitions())
    counts: dict[str, int] = {}
    for together in app.joined_topics():
        found = cluster.ensure(together, partitions=_partitions(cluster, app, together))
        if len(set(found.values())) > 1:
            told = " and ".join(f"{topic} has {count}" for topic, count in found.items())
            raise ClusterError(
                f"topics that are joined need equally many partitions, but {told}; make the smaller one anew with as "
                f"many, or choose other topics with {PREFIX}TOPIC_PREFIX"
            )
        counts.update(found)
    written = [topics for topics in app.joined_topics() if not app.hops.keys().isdisjoint(topics)]
    for topics in dict.fromkeys([*app.merges(), *written]):
        _check_placement(app, topics, counts[topics[0]])
    first, count = next(iter(counts.items()), ("", app.settings.partitions))
    for table in app.tables.values():
        if isinstance(table, Table):
            _prepare_changelog(cluster, app, table, table.source or first, counts.get(table.source, count))
    cluster.ensure([output.topic for output in app.outputs], partitions=count)
    return count


def _partitions(cluster: Cluster, app: App, topics: tuple[str, ...]) -> int | None:
    """Tell how many partitions topics get that the app writes once more, if none of them is there: as their sources."""
    sources = [app.hops[topic] for topic in topics if topic in app.hops]
    existing = cluster.partitions() if sources else {}
    if existing.keys() & set(topics):
        return None
    return max((existing[source] for source in sources if source in existing), default=None)


def _check_flows(app: App) -> None:
    flows, outputs = app.flows(), [output.topic for output in app.outputs if output is not app.dead_letters]
    try:
        check_flows(flows, app.dead_letters.topic)
    except FlowError as exc:
        raise ClusterError(str(exc)) from None
    for topic in returning(flows, outputs, app.topics_read()):
        app.note(
            f"{topic} is read and is an output, too: an agent that sends to what it reads gets that again, without end"
        )


def _check_placement(app: App, topics: tuple[str, ...], count: int) -> None:
    if count == 1 or len(topics) == 1:
        return
    theirs = [topic for topic in topics if topic not in app.hops]
    try:
        found = sample(app.settings, theirs, count)
    except KafkaException as exc:
        raise ClusterError(f"cannot read {' and '.join(topics)}: {exc.args[0].str()}") from None
    # What this app writes once more lies as the Java client would put it, though nothing may be there yet.
    keys = {key for sampled in found.values() for key, _ in sampled}
    ours = {topic: [(key, partition_of(key, count)) for key in keys] for topic in topics if topic in app.hops}
    wrong = misplaced({**found, **ours}, count)
    if wrong is not None:
        raise ClusterError(f"{wrong}, or have one written once more here ({PREFIX}REKEY, streamapp join --repartition)")


def _prepare_changelog(cluster: Cluster, app: App, table: Table, source: str, count: int) -> None:
    changelog = f"{app.settings.id}-{table.name}-changelog"
    found = cluster.ensure([changelog], partitions=count, config={"cleanup.policy": "compact"})[changelog]
    if found != count:
        raise ClusterError(
            f"the changelog {changelog} has {found} partitions, but {source} has {count}; delete the changelog, "
            f"or choose another {PREFIX}ID"
        )
