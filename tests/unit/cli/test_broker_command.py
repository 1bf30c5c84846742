"""``streamapp kafka``: where it listens if nothing is said."""

from __future__ import annotations

import pytest

from streamapp.cli.kafka import local_port


@pytest.mark.parametrize("broker", ["127.0.0.1:19092", "localhost:19092", "[::1]:19092", "127.0.0.1:19092,far:1"])
def test_a_broker_on_this_machine_gives_the_port(broker: str) -> None:
    assert local_port(broker) == 19092


@pytest.mark.parametrize("broker", ["kafka.example.org:19092", "10.0.0.7:19092", "far:1,127.0.0.1:19092"])
def test_a_broker_elsewhere_gives_kafka_s_usual_port(broker: str) -> None:
    assert local_port(broker) == 9092
