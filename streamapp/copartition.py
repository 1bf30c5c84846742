"""Topics before the start: the missing ones are made, and joined ones must have equally many partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaException

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
        found = cluster.ensure(together)
        if len(set(found.values())) > 1:
            told = " and ".join(f"{topic} has {count}" for topic, count in found.items())
            raise ClusterError(
                f"topics that are joined need equally many partitions, but {told}; make the smaller one anew with as "
                f"many, or choose other topics with {PREFIX}TOPIC_PREFIX"
            )
        counts.update(found)
    for topics in app.merges():
        _check_placement(app, topics, counts[topics[0]])
    first, count = next(iter(counts.items()), ("", app.settings.partitions))
    for table in app.tables.values():
        if isinstance(table, Table):
            _prepare_changelog(cluster, app, table, table.source or first, counts.get(table.source, count))
    cluster.ensure([output.topic for output in app.outputs], partitions=count)
    return count


def _check_flows(app: App) -> None:
    flows, outputs = app.flows(), [output.topic for output in app.outputs if output is not app.dead_letters]
    try:
        check_flows(flows, app.dead_letters.topic)
    except FlowError as exc:
        raise ClusterError(str(exc)) from None
    app.notes += [
        f"{topic} is read and is an output, too: an agent that sends to what it reads gets that again, without end"
        for topic in returning(flows, outputs, app.topics_read())
    ]


def _check_placement(app: App, topics: tuple[str, ...], count: int) -> None:
    if count == 1 or len(topics) == 1:
        return
    try:
        wrong = misplaced(sample(app.settings, topics, count), count)
    except KafkaException as exc:
        raise ClusterError(f"cannot read {' and '.join(topics)}: {exc.args[0].str()}") from None
    if wrong is not None:
        raise ClusterError(wrong)


def _prepare_changelog(cluster: Cluster, app: App, table: Table, source: str, count: int) -> None:
    changelog = f"{app.settings.id}-{table.name}-changelog"
    found = cluster.ensure([changelog], partitions=count, config={"cleanup.policy": "compact"})[changelog]
    if found != count:
        raise ClusterError(
            f"the changelog {changelog} has {found} partitions, but {source} has {count}; delete the changelog, "
            f"or choose another {PREFIX}ID"
        )
