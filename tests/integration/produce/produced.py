"""What was produced, as another client sees it, and a Ctrl-C at the right moment."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from confluent_kafka import KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from topics import ends

from streamapp.kafka.clients import librdkafka, reader
from streamapp.settings import Settings

__all__ = ["PARTITIONS", "Topics", "interrupt_when", "produce"]

PARTITIONS = 4


class Topics:
    """The topics as another client sees them."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = reader(settings, "test", {"enable.partition.eof": False})
        self._admin = AdminClient(librdkafka(settings))

    def partitions(self, topic: str) -> int:
        return len(self._consumer.list_topics(timeout=30).topics[topic].partitions)

    def config(self, topic: str, name: str) -> str:
        (found,) = self._admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
        return found.result(timeout=30)[name].value

    def size(self, topic: str) -> int:
        return sum(ends(self._admin, topic).values())

    def records(self, topic: str) -> list[Message]:
        """All records of the topic."""
        offsets = ends(self._admin, topic)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in offsets])
        records: list[Message] = []
        deadline = time.monotonic() + 60
        while len(records) < sum(offsets.values()):
            assert time.monotonic() < deadline
            records += self._consumer.consume(1_000, timeout=0.2)
        assert not [record.error() for record in records if record.error()]
        return records

    def close(self) -> None:
        self._consumer.close()


def produce(settings: Settings, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run `streamapp produce` with some stdin."""
    return subprocess.run(
        [sys.executable, "-m", "streamapp", "produce", *arguments],
        input=given,
        capture_output=True,
        env={
            "PATH": os.environ["PATH"],
            "STREAMAPP_BROKER": settings.broker,
            "STREAMAPP_TOPIC_PREFIX": settings.topic_prefix,
            "STREAMAPP_PARTITIONS": str(settings.partitions),
            "STREAMAPP_REGISTRY_URL": settings.registry_url,
        },
        timeout=120,
        check=False,
    )


def interrupt_when(condition: Callable[[], bool]) -> threading.Thread:
    """Send this process a Ctrl-C once ``condition`` holds."""

    def holds() -> bool:
        with contextlib.suppress(KafkaException):  # a new topic may have no leader yet
            return condition()
        return False

    def wait() -> None:
        deadline = time.monotonic() + 60
        while not holds() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread
