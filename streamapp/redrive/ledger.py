"""The ledger: which letters were sent once more, in a compacted topic beside that of the letters.

A row is written in the transaction of the record that it tells of, and before that. So for who reads what is committed,
a letter was sent if it has a row. At least once, workers read what is not committed, too: of a letter whose row was
aborted, since the command was killed, the record may be there for them. Its row says from which offset on it would be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

import msgspec

from streamapp.joins.corrections import Mark, decoded_mark, mark_of
from streamapp.kafka.admin import Cluster
from streamapp.kafka.log_reader import Log
from streamapp.kafka.partition import TP
from streamapp.kafka.topic_configs import CHANGELOG
from streamapp.redrive.letters import Letter
from streamapp.settings import Guarantee, Settings

__all__ = ["Ledger", "Row", "ledger_topic"]

#: Seconds after which a broker that sends nothing more does not answer.
PATIENCE_S: Final = 30.0

_encode: Final = msgspec.json.Encoder().encode


class Row(msgspec.Struct, frozen=True):
    """That a letter is sent once more, to which partition, and from which offset on the record is there."""

    topic: str
    partition: int
    begin: int

    def encode(self) -> bytes:
        """Return it as the value of a record."""
        return _encode(self)


def ledger_topic(letters: str) -> str:
    """Return the topic for the letters of a topic."""
    return f"{letters}-redriven"


@dataclasses.dataclass
class Ledger:
    """Which letters of a topic were sent once more.

    Args:
        settings: where the broker is, and what the workers read of transactions.
        letters: the topic.
        topic_id: of that: one that was made anew has other letters at the same places.
    """

    settings: Settings
    letters: str
    topic_id: str
    #: The keys of those that were sent; and, by key, of those of which nobody knows.
    _done: set[bytes] = dataclasses.field(default_factory=set)
    _open: dict[bytes, Row] = dataclasses.field(default_factory=dict)

    @property
    def topic(self) -> str:
        """The topic that it is in."""
        return ledger_topic(self.letters)

    def key(self, letter: Letter) -> bytes:
        """Return the key of a letter's row."""
        return f"{self.topic_id}/{letter.identity}".encode()

    def make(self, cluster: Cluster) -> None:
        """Make its topic, if it is not there."""
        cluster.ensure([self.topic], partitions=1, config=CHANGELOG)

    def read(self) -> None:
        """Read it to its end, as it is now; a LogError if the broker does not answer."""
        tp = TP(self.topic, 0)
        with Log(self.settings, PATIENCE_S) as log:
            if not log.partitions(self.topic):
                return
            self._done = {record.key for record in log.all(tp) if record.key is not None}
        self._open = {}
        if self.settings.processing_guarantee is Guarantee.AT_LEAST_ONCE:
            with Log(self.settings, PATIENCE_S, isolation_level="read_uncommitted") as log:
                for record in log.all(tp):
                    if record.key is not None and record.key not in self._done and record.value is not None:
                        self._open.setdefault(record.key, _row(record.value))  # the first one knows the earliest offset

    def has(self, letter: Letter) -> bool:
        """Return whether a letter was sent, or another one of the same record and join."""
        return self.key(letter) in self._done

    def add(self, letters: Iterable[Letter]) -> None:
        """Take note of letters that are sent."""
        self._done.update(map(self.key, letters))

    def arrived(self, letters: Iterable[Letter]) -> list[Letter]:
        """Return those letters of which nobody knew, whose records are there for who reads what is not committed."""
        wanted: dict[tuple[str, int, str, str], Letter] = {}
        begins: dict[TP, int] = {}
        for letter in letters:
            if (row := self._open.get(self.key(letter))) is not None:
                wanted[_told(letter.next_mark)] = letter
                tp = TP(row.topic, row.partition)
                begins[tp] = min(row.begin, begins.get(tp, row.begin))
        found: dict[str, Letter] = {}
        if not wanted:
            return []
        with Log(self.settings, PATIENCE_S, isolation_level="read_uncommitted") as log:
            bounds = log.bounds(begins)
            ranges = {tp: (max(begin, bounds[tp][0]), bounds[tp][1]) for tp, begin in begins.items()}
            for record in log.between(ranges):
                mark = decoded_mark(mark_of(record))
                if mark is not None and (letter_of_it := wanted.get(_told(mark))) is not None:
                    found[letter_of_it.identity] = letter_of_it
        return list(found.values())


def _told(mark: Mark) -> tuple[str, int, str, str]:
    """Return what the mark of a record says, whichever letter it is of."""
    return mark.of, mark.attempt, mark.join, mark.agent


_row: Final = msgspec.json.Decoder(Row).decode
