"""What comes once more after a crash, though the state of a join has it: its records are not joined again.

At least once, a commit has three steps: the broker has the results and the side outputs of the work; then the changelog
has its rows, the last of which says how far the input is taken in (`Provenance.taken`); then the offsets are committed.
After a crash between the last two the input is read again from before what the state has. Its results are there, since
they went first, so it can be left out: joined once more it would be late, or join the same records twice.
"""

from __future__ import annotations

from collections.abc import Mapping

from streamapp.runtime.batch import Merged

__all__ = ["Redone"]


class Redone:
    """Leaves out of the batches of a partition what its state has taken in already."""

    def __init__(self, taken: Mapping[str, int], begins: Mapping[str, int]) -> None:
        """By topic, the offset after the last record that is in the state, and the one from which it is read."""
        #: Of the topics of which what comes next may be in the state.
        self._taken = {topic: offset for topic, offset in taken.items() if begins.get(topic, 0) < offset}

    def rest(self, batch: Merged) -> Merged:
        """Return what is new in a batch: all of it, but for some moments after a crash."""
        return self._rest(batch) if self._taken else batch

    def _rest(self, batch: Merged) -> Merged:
        firsts = [self._taken.get(tp.topic, 0) for tp in batch.tps]
        new = [
            number
            for number, (source, record) in enumerate(zip(batch.sources, batch.records, strict=True))
            if record.offset >= firsts[source]
        ]
        for source in {batch.sources[number] for number in new}:
            self._taken.pop(batch.tps[source].topic, None)
        if len(new) == len(batch):
            return batch
        sources = [batch.sources[number] for number in new]
        return Merged(batch.tps, sources, [batch.records[number] for number in new], batch.work)
