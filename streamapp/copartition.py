"""Topics before the start: the missing ones are made, and joined ones must have equally many partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException
from faust.types import TP

from streamapp.batching.output import partition_of
from streamapp.cluster import Cluster, ClusterError
from streamapp.cycles import FlowError, check_flows, returning
from streamapp.event_times import check_event_times
from streamapp.growth import advice, moving_to
from streamapp.inputs import check_inputs
from streamapp.log import Log, LogError
from streamapp.placement import laid_among, misplaced, sample
from streamapp.settings import PREFIX
from streamapp.stores.table import OrderedTable, Table
from streamapp.topic_configs import CHANGELOG, INTERNAL, output_config

if TYPE_CHECKING:
    from streamapp.batching.app import App

__all__ = ["changelog_of", "partitions_read", "prepare", "tables_of"]

#: Seconds that the look for what the group has read may take.
PATIENCE_S: Final = 10.0


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
    check_inputs(app, cluster)
    counts: dict[str, int] = {}
    internal = {output.topic: INTERNAL for output in app.internal}
    for together in app.joined_topics():
        found = cluster.ensure(together, partitions=_partitions(cluster, app, together), configs=internal)
        if len(set(found.values())) > 1:
            raise ClusterError(_uneven(app, cluster, found))
        counts.update(found)
    written = [topics for topics in app.joined_topics() if not app.hops.keys().isdisjoint(topics)]
    for topics in dict.fromkeys([*app.merges(), *written]):
        _check_placement(app, topics, counts[topics[0]])
    first, count = next(iter(counts.items()), ("", app.settings.partitions))
    changelogs: dict[str, int] = {}
    for table in tables_of(app):
        source = table.source or first
        changelogs |= _prepare_changelog(cluster, app, table, source, counts.get(source, count))
    cluster.ensure(
        [output.topic for output in app.outputs], partitions=count, config=output_config(app.settings), configs=internal
    )
    check_event_times(app, cluster, changelogs)
    app.partition_counts = {**counts, **changelogs}
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


def tables_of(app: App) -> list[Table]:
    """Return the tables of an app that have changelogs."""
    return [table for table in app.tables.values() if isinstance(table, Table)]


def changelog_of(app: App, table: Table) -> str:
    """Return the full name of a table's changelog."""
    return f"{app.settings.id}-{table.name}-changelog"


def _uneven(app: App, cluster: Cluster, found: Mapping[str, int]) -> str:
    """Say what to do about topics that are joined and have not equally many partitions."""
    told = " and ".join(f"{topic} has {count}" for topic, count in found.items())
    existing = cluster.partitions()
    kept = {name: existing[name] for table in tables_of(app) if (name := changelog_of(app, table)) in existing}
    if set(kept.values()) & set(found.values()):  # they were even, and some have got more
        return f"topics that are joined need equally many partitions, but {told}; {advice(app, {**found, **kept})}"
    return (
        f"topics that are joined need equally many partitions, but {told}; make the smaller one anew with as "
        f"many, or choose other topics with {PREFIX}TOPIC_PREFIX"
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


def _prepare_changelog(cluster: Cluster, app: App, table: Table, source: str, count: int) -> dict[str, int]:
    changelog, existing = changelog_of(app, table), cluster.partitions()
    if moving_to(changelog) in existing:
        raise ClusterError(
            f"the rows of {changelog} are being moved to other partitions, which has not ended: with all workers "
            "stopped, `streamapp repartition --execute` does the rest"
        )
    found = cluster.ensure([changelog], partitions=count, config=CHANGELOG)
    if found[changelog] != count:
        raise ClusterError(
            f"{source} has {count} partitions, but the changelog {changelog} has {found[changelog]}: keys are in other "
            f"partitions than the table's rows; {advice(app, {source: count, **found})}"
        )
    if changelog in existing and not isinstance(table, OrderedTable):
        _check_rows(app, source, changelog, count)
    return found


def _check_rows(app: App, source: str, changelog: str, count: int) -> None:
    """Make sure that rows are where their keys are now: the changelog, too, may have got partitions by hand."""
    try:
        with Log(app.settings, PATIENCE_S) as log:
            before = partitions_read(log, source, count)
        keys = sample(app.settings, [changelog], count)[changelog] if before < count else ()
    except (KafkaException, LogError) as exc:
        raise ClusterError(f"cannot tell where the rows of {changelog} lie: {exc}") from None
    if laid_among(keys, before) and not laid_among(keys, count):
        raise ClusterError(
            f"{source} and {changelog} have {count} partitions, and had {before} when the rows were written: keys are "
            f"in other partitions than the table's rows; {advice(app, {source: count, changelog: count})}"
        )


def partitions_read(log: Log, topic: str, count: int) -> int:
    """Return among how many partitions of a topic the group has read it so far; ``count`` if it has not.

    Raises:
        LogError: if the broker does not say.
    """
    read = log.committed([TP(topic, number) for number in range(count)])
    return 1 + max((tp.partition for tp in read), default=count - 1)
