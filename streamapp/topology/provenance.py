"""Where the records are from that a join's state is made of, and how far they are taken in: kept with the state.

At least once, a commit has steps: the broker has the results and the side outputs of the work; then the changelog has
the rows of the state, the last of which says how far the input is taken in; then the changelogs of plain tables have
theirs; then the offsets are committed. After a crash between the last three the input is read again from before what
the state has. Its results are there, since they went first, so it can be left out: joined once more it would be late,
or join the same records twice. Only the rows of plain tables are written once more, in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from streamapp.joins.declared import StateMismatch
from streamapp.runtime.batch import Merged
from streamapp.runtime.copies import Copies, Copy

__all__ = ["TAKEN", "Provenance", "Redone"]

#: Behind the ledger, in the changelog too: after a crash amid a commit it is not ahead of the rows.
TAKEN: Final = b"~taken"
NO_COPIES: Final[Mapping[str, Copies]] = MappingProxyType({})


class Provenance(msgspec.Struct, frozen=True):
    """The inputs of a partition of a join."""

    #: The topic of each source.
    topics: Mapping[int, str]
    #: The field that each source is keyed by, as far as that is known.
    keys: Mapping[int, str]
    #: Of each of the topics; 0 = not known.
    partitions: int = 0
    #: By topic, the offset after the last record that the state has taken in.
    taken: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: By topic, its id, as far as the broker tells it: one that was made anew has another.
    ids: Mapping[str, str] = msgspec.field(default_factory=dict)
    #: The topics whose records are rows of a table in the state.
    tables: Sequence[str] = ()
    #: By source, the name of the table that its rows are in; and the sources of which any were written.
    rows: Mapping[int, str] = msgspec.field(default_factory=dict)
    written: frozenset[int] = frozenset()
    #: By topic, since which placement its partition is read (`CommitMetadata.placement`), as far as that is known.
    placements: Mapping[str, str] = msgspec.field(default_factory=dict)
    #: Of each topic with copies, by the partition that they are of, the furthest one that the state has taken in.
    copies: Mapping[str, Mapping[int, Copy]] = msgspec.field(default_factory=dict)

    def with_taken(
        self,
        offsets: Mapping[str, int],
        written: Iterable[int] = (),
        copies: Mapping[str, Copies] = NO_COPIES,
    ) -> Provenance:
        """Return it after more records were taken in, and rows of some sources written."""
        return msgspec.structs.replace(
            self,
            taken={**self.taken, **offsets},
            written=self.written.union(written),
            copies={**self.copies, **{topic: one.furthest for topic, one in copies.items()}},
        )

    def anew(self, was: Provenance) -> frozenset[str]:
        """Return the topics that were made anew since a state was written."""
        return frozenset(topic for topic, id_ in was.ids.items() if self.ids.get(topic, id_) != id_)

    def after(self, was: Provenance) -> Provenance:
        """Return it as it goes on after what a state has taken in."""
        anew = self.anew(was)
        placed = {topic for topic, name in self.placements.items() if name != was.placements.get(topic)}
        known = {topic: id_ for topic, id_ in was.ids.items() if topic not in self.ids}
        offsets = {topic: offset for topic, offset in was.taken.items() if topic not in anew | placed}
        return msgspec.structs.replace(
            self.with_taken(offsets, was.written),
            ids={**known, **self.ids},
            copies={topic: copies for topic, copies in was.copies.items() if topic not in anew},
            placements={**was.placements, **self.placements},
        )

    def placed(self, placements: Mapping[str, str]) -> Provenance:
        """Return it with the placements since which its topics are read."""
        return msgspec.structs.replace(
            self, placements={topic: placement for topic, placement in placements.items() if placement}
        )

    def go_on(self, was: Provenance) -> None:
        """Raise a StateMismatch if the records of a state are from elsewhere."""
        if dict(was.topics) != dict(self.topics):
            raise StateMismatch(f"it is made of {_listed(was.topics)}, and not of {_listed(self.topics)}")
        for source, key in self.keys.items():
            before = was.keys.get(source)
            if before is not None and before != key:
                raise StateMismatch(f"{self.topics[source]} was keyed by {before} in it, and not by {key}")
        for source in sorted(was.written):
            if (table := self.rows.get(source)) != was.rows[source]:
                raise StateMismatch(
                    f"the rows of {was.topics[source]} are in the table {was.rows[source]}, and not in {table}: name "
                    f'it so, .table(name="{was.rows[source]}")'
                )
        if was.partitions and self.partitions and was.partitions != self.partitions:
            raise StateMismatch(
                f"it is that of {was.partitions} partitions, and now there are {self.partitions}, in which the keys "
                "are elsewhere"
            )

    def encode(self) -> bytes:
        """Return it as the row that is kept."""
        return _encode(self)

    @classmethod
    def decode(cls, row: bytes) -> Provenance:
        """Read the row that is kept."""
        return _decode(row)


class Redone:
    """Tells apart what is new in the batches of a partition, and what its state has taken in already."""

    def __init__(
        self, taken: Mapping[str, int], begins: Mapping[str, int], copies: Mapping[str, Copies] = NO_COPIES
    ) -> None:
        """By topic, the offset after the last record in the state, the one from which it is read, and its copies."""
        #: Of the topics of which what comes next may be in the state.
        self._taken = {topic: offset for topic, offset in taken.items() if begins.get(topic, 0) < offset}
        self._copies = copies

    def divided(self, batch: Merged) -> tuple[Merged, Merged | None]:
        """Return what is new in a batch: all of it, but for some moments after a crash; and what is not."""
        old = self._known(batch) if self._taken else []
        if self._copies:
            old = sorted({*old, *self._again(batch)})
        if not old:
            return batch, None
        new = sorted(set(range(len(batch))).difference(old))
        return _part(batch, new), _part(batch, old)

    def _known(self, batch: Merged) -> list[int]:
        """Return the numbers of the records whose offsets the state has taken in."""
        firsts = [self._taken.get(tp.topic, 0) for tp in batch.tps]
        old, new = list[int](), set[int]()
        for number, (source, record) in enumerate(zip(batch.sources, batch.records, strict=True)):
            if record.offset < firsts[source]:
                old.append(number)
            else:
                new.add(source)
        for source in new:
            self._taken.pop(batch.tps[source].topic, None)
        return old

    def _again(self, batch: Merged) -> list[int]:
        """Return the numbers of the copies that are there for the second time."""
        if len(batch.tps) == 1:
            return self._copies[batch.topic].again(batch.records)
        again = list[int]()
        for source, tp in enumerate(batch.tps):
            if (copies := self._copies.get(tp.topic)) is not None:
                numbers = [number for number, one in enumerate(batch.sources) if one == source]
                again += [numbers[one] for one in copies.again([batch.records[number] for number in numbers])]
        return again


def _part(batch: Merged, numbers: Sequence[int]) -> Merged:
    sources = [batch.sources[number] for number in numbers]
    return Merged(batch.tps, sources, [batch.records[number] for number in numbers], batch.work)


def _listed(topics: Mapping[int, str]) -> str:
    return " and ".join(topics[source] for source in sorted(topics))


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Provenance).decode
