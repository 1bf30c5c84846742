"""A group under another name: its offsets and its states, copied; the old ones stay as they are."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, Message, Producer
from faust.types import TP

from streamapp.kafka.admin import LARGEST_RECORD
from streamapp.kafka.clients import librdkafka
from streamapp.reset.changelog import records
from streamapp.reset.errors import ResetError
from streamapp.reset.group import Group
from streamapp.reset.survey import Survey
from streamapp.reset.topics import make_alike
from streamapp.settings import Settings

if TYPE_CHECKING:
    from streamapp.topology.app import App

__all__ = ["Renaming"]

#: Seconds that the producer's queue may take to have room, and the last records to arrive.
ROOM_S: Final = 1.0
ARRIVE_S: Final = 60.0


@dataclasses.dataclass(frozen=True)
class Copied:
    """A changelog, and the name of its copy."""

    old: str
    new: str
    partitions: int

    def __str__(self) -> str:
        return f"changelog: {self.old} → {self.new}"


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
        survey = Survey(app, old)
        self._settings: Settings = survey.settings
        self._cluster = survey.cluster
        self._old, self._new = survey.group, Group(survey.settings, survey.cluster, new)
        self._offsets: dict[TP, int] = survey.committed
        if survey.inventory.internal:
            raise ResetError(
                f"{old} has topics between its agents, which are not copied: begin {new} beside it, with --from"
            )
        found = [state for state in survey.inventory.states if state.changelog in survey.counts]
        if not found:
            raise ResetError(f"no state of {old} is known by its name: is it an app's, run this with its STREAMAPP_ID")
        self._changelogs = [
            Copied(state.changelog, f"{new}-{state.table}-changelog", survey.counts[state.changelog]) for state in found
        ]
        existing = [each.new for each in self._changelogs if each.new in survey.counts]
        if existing or self._new.committed(survey.committed):
            raise ResetError(f"{new} has begun already: {', '.join(existing) or 'it has committed offsets'}")

    def lines(self) -> list[str]:
        """Return in words what is copied."""
        offsets = [f"offset: {tp.topic}[{tp.partition}] {offset:,}" for tp, offset in sorted(self._offsets.items())]
        return [
            f"group {self._old.name} → {self._new.name}",
            *(f"  {line}" for line in [*offsets, *map(str, self._changelogs)]),
        ]

    def check_empty(self) -> None:
        """Make sure that no worker of either group runs."""
        self._old.check_empty()
        self._new.check_empty()

    def execute(self) -> None:
        """Copy it: the offsets last, so that workers refuse to begin on a part of it."""
        self.check_empty()
        for each in self._changelogs:
            make_alike(self._cluster, each.old, each.new)
            self._copy(each)
        self._new.place(self._offsets)

    def _copy(self, changelog: Copied) -> None:
        failed: list[KafkaError] = []
        options = {"enable.idempotence": True, "message.max.bytes": LARGEST_RECORD, "compression.type": "lz4"}
        producer = Producer(librdkafka(self._settings, options))
        for record in records(self._settings, changelog.old, changelog.partitions):
            _send(producer, changelog.new, record, failed)
        left = producer.flush(ARRIVE_S)
        if failed or left:
            reason = failed[0].str() if failed else "the broker does not answer"
            raise ResetError(f"{changelog.new} cannot be written, delete it before you try again: {reason}")


def _send(producer: Producer, topic: str, message: Message, failed: list[KafkaError]) -> None:
    """Send a record on as it is, with its time."""

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    while True:
        try:
            producer.produce(
                topic,
                key=message.key(),
                value=message.value(),
                headers=message.headers(),
                partition=message.partition() or 0,
                timestamp=message.timestamp()[1],
                on_delivery=delivered,
            )
            producer.poll(0)
        except BufferError:
            producer.poll(ROOM_S)
        else:
            return
