"""From where the partitions of a generation go on: what the group has committed, against what the states have taken in.

Offsets that are set by hand, or are gone, do not go with a state that keeps its clock and its rows: what is read again
would be late, or joined twice, and what is skipped is missing. Both are compared before anything is read.

Offsets are committed once the changelogs have what goes with them, so after a crash a state may be ahead of them by a
commit. That they are this app's own tells them from those that were set by hand (`commit_metadata`).
"""

from __future__ import annotations

import dataclasses
import enum
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streamapp.kafka.commit_metadata import By, CommitMetadata, new_placement
from streamapp.kafka.group import Group
from streamapp.runtime.outbox import KnownTopics
from streamapp.runtime.positions import Positions
from streamapp.runtime.problems import Problems
from streamapp.runtime.rows import Inspection, Owner, Tables
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.stores.errors import StateError

__all__ = ["Begin", "Committed", "Finding", "Misfit", "Resumption", "judge"]

logger = logging.getLogger(__name__)


class Committed(NamedTuple):
    """What is committed of a partition."""

    by: By
    offset: int


class Begin(NamedTuple):
    """Where a partition is read from, and since which placement."""

    placement: str
    offset: int


class Misfit(enum.Enum):
    """How a committed offset does not go with a state."""

    #: It was set back.
    BACK = enum.auto()
    #: It was set forward.
    SKIPPED = enum.auto()
    #: It is gone: the broker forgets the offsets of a group that is empty for a week, or somebody deleted it.
    GONE = enum.auto()
    #: The state is a new one, and has not the rows of a table that were read before.
    MISSED = enum.auto()
    #: It is a new one, and a stream goes on.
    BEGUN = enum.auto()


class Finding(NamedTuple):
    """That a committed offset does not go with the state of a join."""

    misfit: Misfit
    join: str
    tp: TP
    #: What the state has taken in, and where the group is; offsets.
    taken: int
    committed: int


def judge(join: str, tp: TP, committed: Committed, state: Inspection, *, table: bool) -> Finding | None:
    """Return how what is committed of a partition does not go with the state of a join; None = it does.

    For topics that the join takes for a `table` rows would be missing.
    """
    taken = None if state.taken is None else state.taken.get(tp.topic)
    by, offset = committed
    misfit = None
    if taken is None:
        if state.fresh and by is By.PROGRESS and offset > 0:
            misfit = Misfit.MISSED if table else Misfit.BEGUN
    elif by is By.NONE:
        misfit = Misfit.GONE
    elif by is By.FOREIGN and offset != taken:
        misfit = Misfit.BACK if offset < taken else Misfit.SKIPPED
    return None if misfit is None else Finding(misfit, join, tp, taken or 0, offset)


@dataclasses.dataclass
class Resumption:
    """Where this worker's partitions go on."""

    group: Group
    positions: Positions
    tables: Tables
    topics: KnownTopics
    problems: Problems
    group_id: str
    #: What log lines name for a new start.
    reset_command: str
    #: What was committed of this generation's partitions when it began, and how that came about by now.
    _committed: dict[TP, Committed] = dataclasses.field(default_factory=dict)
    _began: dict[TP, str] = dataclasses.field(default_factory=dict)
    #: Since which placement they are read: a state from before that is read again on purpose.
    _placements: dict[TP, str] = dataclasses.field(default_factory=dict)

    async def note(self, partitions: Collection[TP]) -> None:
        """Take note of what is committed of partitions, before all else; a KafkaError if it is not to be had."""
        committed = await self.group.committed_now(partitions)
        self._committed, self._began, self._placements = {}, {}, {}
        for tp in partitions:
            found = committed.get(tp)
            metadata = CommitMetadata(By.NONE) if found is None else CommitMetadata.parse(found.metadata)
            self._committed[tp] = Committed(metadata.by, 0 if found is None else found.offset)
            self._began[tp] = metadata.began
            self._placements[tp] = metadata.placement or ("" if metadata.by is By.PROGRESS else new_placement())

    async def start(self, committed: Mapping[TP, OffsetAndMetadata], partitions: Collection[TP]) -> dict[TP, int]:
        """Compare what is committed with what the broker has; see `Positions.begin`."""
        moved = await self.positions.begin(committed, partitions)
        self._placements |= {tp: new_placement() for tp in moved}  # what is there may be other records
        return moved

    def begins(self, topics: Iterable[str], number: int) -> dict[str, Begin]:
        """Return where the partitions with a number are read from, by topic."""
        tps = [tp for tp in (TP(topic, number) for topic in topics) if tp in self._committed]
        return {tp.topic: Begin(self._placements.get(tp, ""), self._committed[tp].offset) for tp in tps}

    def reads_again(self, tp: TP, taken: int) -> bool:
        """Tell whether a partition is read from before an offset up to which a state has it."""
        committed = self._committed.get(tp)
        return committed is not None and committed.by is not By.NONE and committed.offset < taken

    def metadata(self, tp: TP, transactional_id: str = "") -> str:
        """Return what is to be committed along with an offset of a partition."""
        by = self._committed[tp].by if tp in self._committed else By.PROGRESS
        topic_id = self.positions.ids.get(tp.topic, "")
        placement = self._placements.get(tp, "")
        return str(CommitMetadata(by, self._began.get(tp, ""), transactional_id, topic_id, placement))

    def progress(self, offsets: Mapping[TP, int]) -> None:
        """Take note that these offsets are committed since they were read up to."""
        self._committed |= {tp: Committed(By.PROGRESS, offset) for tp, offset in offsets.items()}

    async def begin(self, partitions: Collection[TP]) -> dict[TP, int]:
        """Compare what is committed of a generation's partitions, changelogs among them, with the restored states.

        Returns:
            from where partitions are to be read that were not this app's own commit so far; to be committed.

        Raises:
            StateError: if a state does not go with what is declared or committed.
        """
        findings: list[Finding] = []
        for table in self.tables.of_rows:
            if table.owner is not None and table.ordered:
                numbers = sorted(tp.partition for tp in partitions if tp.topic == table.changelog_topic_name)
                findings += await self._inspect(table.owner, {number: table.partition(number) for number in numbers})
        self._check_rows(partitions)
        await self._check_plain_tables(partitions)
        await self._tell_lost_tables(partitions)
        gone = self._settle(findings)
        await self._check_ends(gone)
        self._placements |= dict.fromkeys(gone, "")  # the states go on
        there = self.positions.there  # of a topic that is gone nobody can tell a position
        new = {tp for tp, committed in self._committed.items() if committed.by in (By.FOREIGN, By.NONE)}
        placed = await self.group.begin_at({tp for tp in new if tp.topic in there}, gone)
        self._tell_foreign({finding.tp for finding in findings})
        for tp, position in placed.items():
            self._committed[tp] = Committed(By.PROGRESS if tp in gone else By.PLACED, position)
        return placed

    async def _inspect(self, owner: Owner, stores: Mapping[int, Uncommitted]) -> list[Finding]:
        if not stores:
            return []
        count = await self.topics.partition_count(owner.topics[0])
        findings, noted = [], dict[str, None]()
        for number, store in stores.items():
            try:
                state = owner.inspect(store, count)
            except StateError as exc:
                raise StateError(f"{exc}; {self._way_out}") from None
            noted |= dict.fromkeys(state.notes)
            self._tell_anew(owner, number, state.anew)
            for topic in owner.topics:
                tp = TP(topic, number)
                committed = self._committed.get(tp)
                if self.positions.ends_before(tp, (state.taken or {}).get(topic)):
                    self._placements[tp] = new_placement()
                found = committed and judge(owner.title, tp, committed, state, table=topic in owner.tables)
                findings += [found] if found else []
        for note in noted:
            logger.warning("The %s goes on with the state of another declaration: %s", owner.title, note)
        return findings

    def _tell_anew(self, owner: Owner, number: int, topics: Iterable[str]) -> None:
        """Tell of topics that are others than those that a state is made of; of what is read on, the losses tell."""
        for tp in (TP(topic, number) for topic in topics):
            committed = self._committed.get(tp)
            if committed is not None and committed.by is By.NONE:
                text = (
                    f"{tp.topic}[{tp.partition}] was made anew since the {owner.title} has read it: it is read "
                    "from its beginning; what was not read of the former one is gone"
                )
                logger.error("%s", text)
                self.problems.report(("anew", tp), text)

    def _check_rows(self, partitions: Collection[TP]) -> None:
        """Raise an error if rows were written under other settings: of each partition one tells it."""
        for table in self.tables.of_rows:
            if table.misfit is None:
                continue
            for number in sorted(tp.partition for tp in partitions if tp.topic == table.changelog_topic_name):
                found = next(table.partition(number).items(), None)
                if found is not None and (why := table.misfit(found[1].value)):
                    raise StateError(f"{why}; {self._way_out}")

    async def _check_plain_tables(self, partitions: Collection[TP]) -> None:
        """Raise an error if rows which agents wrote are of other topics than those that are read now."""
        if not self._committed or any(one.by is not By.NONE for one in self._committed.values()):
            return
        kept = [
            table.name
            for table in self.tables.of_rows
            if table.owner is None
            if any(tp.topic == table.changelog_topic_name and len(table.partition(tp.partition)) for tp in partitions)
        ]
        if not kept:
            return
        reads = {tp.topic for tp in self._committed}
        own = f"{self.group_id}-"  # what the names of the app's own topics begin with
        before = {topic for topic in await self.group.topics() if not topic.startswith(own)} - reads
        if before:
            raise StateError(
                f"the group has read {', '.join(sorted(before))} so far, and the table {kept[0]} has rows of that, but "
                f"now it is to read {', '.join(sorted(reads))}; {self._way_out}"
            )
        logger.warning(
            "The group has no committed offsets (any more): all is read from the beginning, with the rows that the "
            "table %s has",
            kept[0],
        )

    async def _tell_lost_tables(self, partitions: Collection[TP]) -> None:
        """Tell of tables without a row in store and changelog, though the group has read what agents make them of.

        A table whose records were all rejected, or deleted nothing, is taken for one, too.
        """
        for table in self.tables.of_rows:
            changelog = table.changelog_topic_name
            numbers = [tp.partition for tp in partitions if tp.topic == changelog]
            read = {TP(table.source, number) for number in numbers} & self._committed.keys()
            before = [(tp, one.offset) for tp in read if (one := self._committed[tp]).by is By.PROGRESS and one.offset]
            if table.owner is not None or not before or any(len(table.partition(number)) for number in numbers):
                continue
            tps = [TP(changelog, number) for number in range(await self.topics.partition_count(changelog))]
            ends = await self.positions.ends(tps)
            if any(ends.get(tp) != 0 for tp in tps):
                continue
            (topic, number), offset = min(before)
            text = (
                f"the changelog {changelog} never had a row, though the group has read {topic}[{number}] up to "
                f"{offset:,}: if it was deleted, the rows of the table {table.name} are gone with it; {self._way_out}"
            )
            logger.error("%s", text)
            self.problems.report(("lost table", table.name), text)

    def _settle(self, findings: Iterable[Finding]) -> dict[TP, int]:
        """Tell what was found; return from where those partitions go on whose committed offset is gone."""
        found: defaultdict[Misfit, list[Finding]] = defaultdict(list)
        for finding in findings:
            found[finding.misfit].append(finding)
        if back := found[Misfit.BACK]:
            raise StateError(
                f"offsets were set back by hand ({_first(back)}), but the state of the {back[0].join} has taken "
                f"in what is read again: it would be late, or taken in twice; {self._way_out}"
            )
        if missed := found[Misfit.MISSED]:
            raise StateError(
                f"the {missed[0].join} is new, or its changelog was deleted, but the group has read before what "
                f"its table is made of ({_first(missed)}): these rows would be missing; {self._way_out}"
            )
        for begun in {finding.join: finding for finding in found[Misfit.BEGUN]}.values():
            logger.warning(
                "The %s is new, or its changelog was deleted: it begins with the records that come now, and has "
                "nothing of those that the group has read before (%s)",
                begun.join,
                _first([begun]),
            )
        if skipped := found[Misfit.SKIPPED]:
            records = sum(finding.committed - finding.taken for finding in {one.tp: one for one in skipped}.values())
            text = f"{records:,} records were skipped: offsets were set forward by hand ({_first(skipped)})"
            logger.warning("%s", text)
            self.problems.report(Misfit.SKIPPED, text)
        if gone := found[Misfit.GONE]:
            logger.warning(
                "Committed offsets are gone (%s), as those of a group without workers are after "
                "offsets.retention.minutes: going on from what the state has taken in; `%s` reads all again",
                _first(gone),
                self.reset_command,
            )
        # Of several joins that read a topic one may be a commit ahead.
        return {one.tp: one.taken for one in sorted(gone, key=lambda one: one.taken, reverse=True)}

    async def _check_ends(self, offsets: Mapping[TP, int]) -> None:
        """Raise an error if a topic has not what a state has taken in."""
        ends = await self.positions.ends(offsets)
        for tp, offset in offsets.items():
            if offset > ends.get(tp, offset):
                raise StateError(
                    f"{tp.topic}[{tp.partition}] ends at {ends[tp]}, and the state has taken in up to {offset}: the "
                    f"topic was made anew, or has lost records; {self._way_out}"
                )

    def _tell_foreign(self, told: Collection[TP]) -> None:
        """Tell of offsets that others have set, if no state knows from where."""
        foreign = {tp: one.offset for tp, one in self._committed.items() if one.by is By.FOREIGN}
        if len(foreign) == len(self._committed):
            return  # an older version's
        for tp in sorted(foreign.keys() - told):
            logger.warning("%s[%d] is read from %d on, which this app has not committed", *tp, foreign[tp])

    @property
    def _way_out(self) -> str:
        return f"`{self.reset_command}` begins with an empty state, another STREAMAPP_ID beside this one"


def _first(findings: Sequence[Finding]) -> str:
    """Return the first of some findings in words, and how many there are besides."""
    partitions = sorted({one.tp: one for one in findings}.values(), key=lambda one: one.tp)
    one = partitions[0]
    match one.misfit:
        case Misfit.MISSED | Misfit.BEGUN:
            move = f" up to {one.committed}"
        case Misfit.GONE:
            move = ""
        case _:
            move = f" from {one.taken} to {one.committed}"
    more = f", and {len(partitions) - 1} more" if len(partitions) > 1 else ""
    return f"{one.tp.topic}[{one.tp.partition}]{move}{more}"
