"""The assignor: Faust's, for a static member that comes back under another address.

Read from faust-streaming 0.15.3 (`faust/assignor/partition_assignor.py`).
"""

from __future__ import annotations

from typing import cast

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from faust.types.assignor import HostToPartitionMap

__all__ = ["Assignor"]


class Assignor(PartitionAssignor):
    """Faust's assignor of partitions.

    A static member that comes back within its session timeout gets the assignment of before, and the group does not
    rebalance (KIP-345): it has the URL that the worker had then. Faust takes that for impossible. So the worker begins
    with its partitions under its new URL, and once they are recovered it has the group rebalance, by which the others
    learn it.
    """

    #: Whether the others still know this worker by another URL.
    moved = False

    def on_assignment(self, assignment: ConsumerProtocolMemberMetadata) -> None:
        """Take in what the group's leader has assigned."""
        metadata = cast(ClientMetadata, ClientMetadata.loads(self._decompress(assignment.user_data)))
        url = str(self._url)
        self.moved = metadata.url != url
        if self.moved:
            moved = metadata.derive(
                url=url,
                changelog_distribution=_renamed(metadata.changelog_distribution, metadata.url, url),
                external_topic_distribution=_renamed(metadata.external_topic_distribution, metadata.url, url),
            )
            assignment = ConsumerProtocolMemberAssignment(
                assignment.version, assignment.assignment, self._compress(moved.dumps())
            )
        super().on_assignment(assignment)


def _renamed(distribution: HostToPartitionMap, old: str, new: str) -> HostToPartitionMap:
    return {new if url == old else url: topics for url, topics in distribution.items()}
