"""A group under another name: its offsets and its states, copied; the old ones stay as they are."""

from __future__ import annotations

from typing import Final

from streamapp.kafka.consumer_group import ConsumerGroup
from streamapp.kafka.log_reader import Log
from streamapp.kafka.producer import Producer
from streamapp.reset.execute import make_alike
from streamapp.reset.plan import ResetError
from streamapp.reset.survey import SILENCE_S, Survey
from streamapp.topology.app import App

__all__ = ["Renaming"]

#: Seconds that the last records may take to arrive.
ARRIVE_S: Final = 60.0


class Renaming:
    """Copies what a group has, for workers under another id.

    Args:
        app: whose settings say where the broker is; the group is its own, or that of a ``streamapp join``.
        old: the id of the group.
        new: the id that it is to have.

    Raises:
        ResetError: by all methods, for what cannot be.
        ClusterError: if the broker is not there.
    """

    def __init__(self, app: App, old: str, new: str) -> None:
        self._survey = survey = Survey(app, old)
        self._new = ConsumerGroup(survey.cluster, new)
        if survey.inventory.internal:
            raise ResetError(
                f"{old} has topics between its agents, which are not copied: begin {new} beside it, with --from"
            )
        #: The names of the changelogs, and those of their copies.
        self._copies = {
            state.changelog: f"{new}-{state.table}-changelog"
            for state in survey.inventory.states
            if state.changelog in survey.counts
        }
        if not self._copies:
            raise ResetError(f"no state of {old} is known by its name: is it an app's, run this with its STREAMAPP_ID")
        existing = [name for name in self._copies.values() if name in survey.counts]
        if existing or self._new.committed():
            raise ResetError(f"{new} has begun already: {', '.join(existing) or 'it has committed offsets'}")

    def lines(self) -> list[str]:
        """Return in words what is copied."""
        offsets = [f"  offset: {tp.topic}[{tp.partition}] {at:,}" for tp, at in sorted(self._survey.committed.items())]
        copies = [f"  changelog: {name} → {copy}" for name, copy in self._copies.items()]
        return [f"group {self._survey.group.name} → {self._new.name}", *offsets, *copies]

    def check_empty(self) -> None:
        """Make sure that no worker of either group runs."""
        self._survey.group.check_empty()
        self._new.check_empty()

    def execute(self) -> None:
        """Copy it: the offsets last, so that workers refuse to begin on a part of it."""
        self.check_empty()
        for name, copy in self._copies.items():
            make_alike(self._survey.cluster, name, copy)
            self._copy(name, copy)
        self._new.place(self._survey.committed)

    def _copy(self, name: str, copy: str) -> None:
        """Send all records on as they are, with their times."""
        producer = Producer(self._survey.settings, timeout=ARRIVE_S)
        with Log(self._survey.settings, SILENCE_S) as log:
            for tp in self._survey.partitions([name]):
                for record in log.all(tp):
                    producer.send(copy, record.key, record.value, record.timestamp, [*record.headers], tp.partition)
        producer.flush(ARRIVE_S)
        if producer.error:
            raise ResetError(f"{copy} cannot be written, delete it before you try again: {producer.error}")
