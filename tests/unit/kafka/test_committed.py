"""What a group has committed is asked for again while its coordinator has only just become one."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streamapp.kafka import log_reader
from streamapp.kafka.log_reader import Log, LogError
from streamapp.kafka.partition import TP
from streamapp.settings import Settings


class Broker:
    """Answers the first question with an error."""

    def __init__(self, error: int) -> None:
        self.errors = [KafkaException(KafkaError(error))]

    def committed(self, tps: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        if self.errors:
            raise self.errors.pop()
        return [TopicPartition(tp.topic, tp.partition, 7) for tp in tps]

    def close(self) -> None:
        pass


def committed(monkeypatch: pytest.MonkeyPatch, error: int) -> dict[TP, int]:
    broker = Broker(error)
    monkeypatch.setattr(log_reader, "reader", lambda *_: broker)
    with Log(Settings(), 5.0) as log:
        return log.committed([TP("clicks", 0)])


@pytest.mark.parametrize("error", [KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS])
def test_a_coordinator_that_is_only_just_one_is_asked_again(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    assert committed(monkeypatch, error) == {TP("clicks", 0): 7}


def test_another_error_is_one_line_that_names_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LogError, match="STREAMAPP_BROKER"):
        committed(monkeypatch, KafkaError.GROUP_AUTHORIZATION_FAILED)
