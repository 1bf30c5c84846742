"""Requests of which aiokafka knows older versions only."""

from __future__ import annotations

import pytest
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.structs import TopicPartition

from streamapp.kafka.protocol import describe_group, fetch_offsets

#: Versions of OffsetFetch and DescribeGroups, by API key, that brokers have.
KAFKA_2_4 = {9: (0, 6), 15: (0, 5)}
KAFKA_2_5 = {9: (0, 7), 15: (0, 5)}


def test_a_broker_that_is_too_old_is_told_of_in_a_line() -> None:
    call = fetch_offsets("group", [TopicPartition("clicks", 0)], stable=True)
    assert call.prepare(KAFKA_2_5).API_VERSION == 7
    with pytest.raises(IncompatibleBrokerVersion, match=r"exactly_once needs Kafka 2\.5 or newer"):
        call.prepare(KAFKA_2_4)
    with pytest.raises(IncompatibleBrokerVersion, match=r"exactly_once needs Kafka 2\.5 or newer"):
        describe_group("group").prepare({})
