"""A consumer group without a broker: what is committed, and from where this worker reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streamapp.kafka.commit_metadata import CommitMetadata
from streamapp.kafka.protocol import Membership

__all__ = ["GroupOfOne"]


class GroupOfOne:
    """A group whose only member is this worker, `app-host`; others have left."""

    def __init__(self) -> None:
        self.offsets: dict[TP, OffsetAndMetadata] = {}
        #: From where partitions are read that aiokafka begins with, and where it was put.
        self.begins: dict[TP, int] = {}
        #: Static members that are in the group.
        self.members = {"host"}

    def commit(self, tp: TP, offset: int, metadata: CommitMetadata | None = None) -> None:
        """Have an offset committed; without metadata, by somebody else."""
        self.offsets[tp] = OffsetAndMetadata(offset, "" if metadata is None else str(metadata))

    def membership(self, generation: int) -> Membership:
        return Membership("app", generation, "member", "host")

    async def instances(self) -> set[str]:
        return self.members

    async def committed(self, partitions: Collection[TP], *, stable: bool) -> Mapping[TP, OffsetAndMetadata]:
        return {tp: self.offsets[tp] for tp in partitions if tp in self.offsets}

    async def committed_now(self, partitions: Collection[TP]) -> Mapping[TP, OffsetAndMetadata]:
        return await self.committed(partitions, stable=False)

    async def topics(self) -> set[str]:
        return {tp.topic for tp in self.offsets}

    async def begin_at(self, partitions: Collection[TP], offsets: Mapping[TP, int]) -> dict[TP, int]:
        for tp in partitions:
            known = self.offsets[tp].offset if tp in self.offsets else 0
            self.begins[tp] = offsets.get(tp, known)
        return {tp: self.begins[tp] for tp in partitions}
