"""The producer asks where topics are with a pause between two questions, as long as it is not known of all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.protocol.metadata import MetadataResponse_v1

from streamapp.batching.pipelining import PipeliningProducer

LED: Mapping[str, list[int]] = {"results": [1, 1]}


@pytest.mark.parametrize(
    ("topics", "leaders", "pauses"),
    [
        pytest.param({"results"}, LED, False, id="all-known"),
        pytest.param(None, LED, False, id="no-topics"),
        pytest.param({"results", "gone"}, LED, True, id="a-topic-is-gone"),
        pytest.param({"results"}, {"results": [1, -1]}, True, id="a-partition-has-no-leader"),
    ],
)
def test_a_topic_that_is_gone_or_without_a_leader_is_not_asked_for_again_at_once(
    topics: set[str] | None, leaders: Mapping[str, list[int]], pauses: bool
) -> None:
    async def ask() -> float:
        producer = PipeliningProducer(bootstrap_servers="127.0.0.1:1", retry_backoff_ms=20)

        async def answer(cluster: ClusterMetadata, _topics: object) -> bool:
            told = [
                (0, topic, False, [(0, number, leader, [1], [1]) for number, leader in enumerate(partitions)])
                for topic, partitions in leaders.items()
            ]
            cluster.update_metadata(MetadataResponse_v1([(1, "127.0.0.1", 1, None)], 1, told))
            return True

        producer._ask = answer
        begin = asyncio.get_running_loop().time()
        assert await producer.client._metadata_update(producer.client.cluster, topics)
        return asyncio.get_running_loop().time() - begin

    assert (asyncio.run(ask()) >= 0.02) == pauses
