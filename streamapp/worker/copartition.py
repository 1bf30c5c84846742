"""Topics before the start: the missing ones are made, and joined ones must have equally many partitions."""

from __future__ import annotations

from collections.abc import Mapping

from streamapp.kafka.admin import ClusterError
from streamapp.kafka.log_reader import Log, LogError
from streamapp.kafka.partitioner import partition_of
from streamapp.kafka.partitioners import misplaced, placed_by, sample
from streamapp.kafka.topic_configs import CHANGELOG, INTERNAL, output_config
from streamapp.settings import PREFIX
from streamapp.worker.growth import advice, moving_to
from streamapp.worker.start import Start
from streamapp.worker.table import Table
from streamapp.worker.value_table import ValueTable

__all__ = ["check_placement", "check_rows", "make_changelogs", "make_inputs", "make_outputs"]


def make_inputs(start: Start) -> None:
    """Make the topics that are read and missing: with as many partitions as those have that they are joined with.

    Raises:
        ClusterError: if topics that are joined differ in their numbers of partitions.
    """
    internal = dict.fromkeys(start.app.declared.internal, INTERNAL)
    for together in start.app.joined_topics():
        found = start.cluster.ensure(
            together, partitions=_partitions(start, together), configs=internal, existing=start.existing
        )
        if len(set(found.values())) > 1:
            raise ClusterError(_uneven(start, found))
        start.inputs |= found
    start.app.conf.topic_partitions = start.count(start.events)


def _partitions(start: Start, topics: tuple[str, ...]) -> int | None:
    """Return how many partitions topics get that the app writes once more, if none is there: as many as their sources.

    None = as many as those of them have that are there.
    """
    if not start.app.declared.single.keys().isdisjoint(topics):
        return 1
    alike = {topic: (first,) for topic, first in start.app.declared.alike.items()}
    hops = {**start.app.declared.hops, **alike}
    if start.existing.keys() & set(topics):
        return None
    return max((start.existing.get(first, 0) for topic in topics for first in hops.get(topic, ())), default=0) or None


def _uneven(start: Start, found: Mapping[str, int]) -> str:
    told = " and ".join(f"{topic} has {count}" for topic, count in found.items())
    told = f"topics that are joined need equally many partitions, but {told}"
    changelogs = {table.changelog_topic_name for table in start.app.row_tables}
    kept = {name: count for name, count in start.existing.items() if name in changelogs}
    if set(kept.values()) & set(found.values()):  # they were even, and some have got more
        return f"{told}; {advice(start.app, {**found, **kept})}"
    return f"{told}; make the smaller one anew with as many, or choose other topics with {PREFIX}TOPIC_PREFIX"


def check_placement(start: Start) -> None:
    """Check that a key is in the same partition of all topics that are joined, as far as a sample tells.

    Raises:
        ClusterError: if one is not, or they cannot be read.
    """
    app, hops = start.app, start.app.declared.hops
    written = [topics for topics in app.joined_topics() if not hops.keys().isdisjoint(topics)]
    for topics in dict.fromkeys([*app.merges(), *written]):
        count = start.count(topics[0])
        if count == 1 or len(topics) == 1:
            continue
        try:
            found = sample(app.settings, [topic for topic in topics if topic not in hops], count)
        except LogError as exc:
            raise ClusterError(f"cannot read {' and '.join(topics)}: {exc}") from None
        # What this app writes once more lies as the Java client would put it, though nothing may be there yet.
        placed = [(key, partition_of(key, count)) for key in {key for keys in found.values() for key, _ in keys}]
        wrong = misplaced({**found, **{topic: placed for topic in topics if topic in hops}}, count)
        if wrong is not None:
            raise ClusterError(
                f"{wrong}, or have one written once more here ({PREFIX}REKEY, streamapp join --repartition)"
            )


def check_rows(start: Start) -> None:
    """Check that rows are where their keys are now: a changelog, too, may have got partitions by hand.

    Raises:
        ClusterError: if they are not, or cannot be read.
        LogError: if the broker does not say what the group has read.
    """
    for table in start.app.row_tables:
        changelog, source = table.changelog_topic_name, _source(start, table)
        count = start.count(source)
        if table.ordered or start.existing.get(changelog) != count or moving_to(changelog) in start.existing:
            continue
        with Log(start.app.settings, patience=0) as log:
            before = log.partitions_read(source, count)
        try:
            keys = sample(start.app.settings, [changelog], count)[changelog] if before < count else ()
        except LogError as exc:
            raise ClusterError(f"cannot read {changelog}: {exc}") from None
        if placed_by(keys, before) and not placed_by(keys, count):
            raise ClusterError(
                f"{source} and {changelog} have {count} partitions, and had {before} when the rows were written: keys "
                f"are in other partitions than the table's rows; {advice(start.app, {source: count, changelog: count})}"
            )


def make_changelogs(start: Start) -> None:
    """Make the changelogs of the tables that are missing, with as many partitions as the tables' sources have.

    Raises:
        ClusterError: if one has not as many, or its rows are being moved.
    """
    for table in start.app.row_tables:
        changelog = table.changelog_topic_name
        source = _source(start, table)
        if moving_to(changelog) in start.existing:
            raise ClusterError(
                f"the rows of {changelog} are being moved to other partitions, which has not ended: with all workers "
                "stopped, `streamapp repartition --execute` does the rest"
            )
        count = start.count(source)
        found = start.cluster.ensure([changelog], partitions=count, config=CHANGELOG, existing=start.existing)
        if found[changelog] != count:
            raise ClusterError(
                f"{source} has {count} partitions, but the changelog {changelog} has {found[changelog]}: keys are in "
                f"other partitions than the table's rows; {advice(start.app, {source: count, **found})}"
            )
        start.changelogs |= found


def _source(start: Start, table: Table) -> str:
    return table.source or (start.events if isinstance(table, ValueTable) else start.first)


def make_outputs(start: Start) -> None:
    """Make the topics that results are sent to and that are missing."""
    declared, config = start.app.declared, output_config(start.app.settings)
    internal = dict.fromkeys(declared.internal, INTERNAL)
    partitions = start.count(start.first)
    start.cluster.ensure(
        list(declared.sinks), partitions=partitions, config=config, configs=internal, existing=start.existing
    )
