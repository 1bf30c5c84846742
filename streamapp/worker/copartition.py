"""Topics before the start: the missing ones are made, and joined ones must have equally many partitions."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaException

from streamapp.kafka.admin import Cluster, ClusterError
from streamapp.kafka.partitioner import partition_of
from streamapp.kafka.partitioners import misplaced, sample
from streamapp.kafka.topic_configs import CHANGELOG, INTERNAL, output_config
from streamapp.runtime.cycles import FlowError, check_flows, returning
from streamapp.settings import PREFIX
from streamapp.worker.base import BaseApp
from streamapp.worker.event_times import check_event_times
from streamapp.worker.growth import advice, moving_to
from streamapp.worker.inputs import check_inputs, check_ways
from streamapp.worker.table import Table
from streamapp.worker.value_table import ValueTable

__all__ = ["changelog_of", "prepare"]


def prepare(app: BaseApp) -> int:
    """Make the topics of the app that are missing, and check those that are joined.

    Topics that exist keep their partitions; the missing ones get as many as those have that they are joined with. The
    tables' changelogs are made here too, so that they have as many.

    Returns:
        the number of partitions that Faust's own topics get.

    Raises:
        ClusterError: if the broker is not there, a topic that is read is missing and not to be made, what is sent would
            come back, or topics that are joined differ in their number of partitions, or in where their keys lie.
    """
    _check_flows(app)
    check_ways(app)
    cluster = Cluster(app.settings)
    existing = check_inputs(app, cluster)  # listed once: each listing is of all topics of the cluster
    counts: dict[str, int] = {}
    internal = dict.fromkeys(app.declared.internal, INTERNAL)
    for together in app.joined_topics():
        partitions = _partitions(existing, app, together)
        found = cluster.ensure(together, partitions=partitions, configs=internal, existing=existing)
        if len(set(found.values())) > 1:
            raise ClusterError(_uneven(app, existing, found))
        counts.update(found)
    written = [topics for topics in app.joined_topics() if not app.declared.hops.keys().isdisjoint(topics)]
    for topics in dict.fromkeys([*app.merges(), *written]):
        _check_placement(app, topics, counts[topics[0]])
    first, count = next(iter(counts.items()), ("", app.settings.partitions))
    # Faust's own tables, and its topics between agents, go with what is read event by event.
    events = next(iter(app.event_topics()), first)
    changelogs: dict[str, int] = {}
    for table in app.row_tables:
        source = table.source or (events if isinstance(table, ValueTable) else first)
        changelogs |= _prepare_changelog(cluster, existing, app, table, source, counts.get(source, count))
    outputs, config = list(app.declared.sinks), output_config(app.settings)
    cluster.ensure(outputs, partitions=count, config=config, configs=internal, existing=existing)
    check_event_times(app, cluster, changelogs)
    app.partition_counts = {**counts, **changelogs}
    return counts.get(events, count)


def _partitions(existing: Mapping[str, int], app: BaseApp, topics: tuple[str, ...]) -> int | None:
    """Tell how many partitions topics get that the app writes once more, if none of them is there: as their sources."""
    sources = [app.declared.hops[topic] for topic in topics if topic in app.declared.hops]
    if sources and existing.keys() & set(topics):
        return None
    return max((existing[source] for source in sources if source in existing), default=None)


def _check_flows(app: BaseApp) -> None:
    flows, outputs = (
        app.flows(),
        [output.topic for output in app.declared.sinks.values() if output is not app.dead_letters],
    )
    try:
        check_flows(flows, app.dead_letters.topic)
    except FlowError as exc:
        raise ClusterError(str(exc)) from None
    for topic in returning(flows, outputs, app.topics_read()):
        app.note(
            f"{topic} is read and is an output, too: an agent that sends to what it reads gets that again, without end"
        )


def changelog_of(app: BaseApp, table: Table) -> str:
    """Return the full name of a table's changelog."""
    return f"{app.settings.id}-{table.name}-changelog"


def _uneven(app: BaseApp, existing: Mapping[str, int], found: Mapping[str, int]) -> str:
    """Say what to do about topics that are joined and have not equally many partitions."""
    told = " and ".join(f"{topic} has {count}" for topic, count in found.items())
    kept = {name: existing[name] for table in app.row_tables if (name := changelog_of(app, table)) in existing}
    if set(kept.values()) & set(found.values()):  # they were even, and some have got more
        return f"topics that are joined need equally many partitions, but {told}; {advice(app, {**found, **kept})}"
    return (
        f"topics that are joined need equally many partitions, but {told}; make the smaller one anew with as "
        f"many, or choose other topics with {PREFIX}TOPIC_PREFIX"
    )


def _check_placement(app: BaseApp, topics: tuple[str, ...], count: int) -> None:
    if count == 1 or len(topics) == 1:
        return
    theirs = [topic for topic in topics if topic not in app.declared.hops]
    try:
        found = sample(app.settings, theirs, count)
    except KafkaException as exc:
        raise ClusterError(f"cannot read {' and '.join(topics)}: {exc.args[0].str()}") from None
    # What this app writes once more lies as the Java client would put it, though nothing may be there yet.
    keys = {key for sampled in found.values() for key, _ in sampled}
    ours = {topic: [(key, partition_of(key, count)) for key in keys] for topic in topics if topic in app.declared.hops}
    wrong = misplaced({**found, **ours}, count)
    if wrong is not None:
        raise ClusterError(f"{wrong}, or have one written once more here ({PREFIX}REKEY, streamapp join --repartition)")


def _prepare_changelog(
    cluster: Cluster, existing: dict[str, int], app: BaseApp, table: Table, source: str, count: int
) -> dict[str, int]:
    changelog = changelog_of(app, table)
    if moving_to(changelog) in existing:
        raise ClusterError(
            f"the rows of {changelog} are being moved to other partitions, which has not ended: with all workers "
            "stopped, `streamapp repartition --execute` does the rest"
        )
    found = cluster.ensure([changelog], partitions=count, config=CHANGELOG, existing=existing)
    if found[changelog] != count:
        raise ClusterError(
            f"{source} has {count} partitions, but the changelog {changelog} has {found[changelog]}: keys are in other "
            f"partitions than the table's rows; {advice(app, {source: count, **found})}"
        )
    return found
