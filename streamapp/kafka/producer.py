"""A producer that accounts for every record: sent = acknowledged + failed, once it is flushed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import confluent_kafka
import msgspec
from confluent_kafka import KafkaError, KafkaException, Message

from streamapp.errors import ProduceError
from streamapp.kafka.clients import librdkafka
from streamapp.kafka.topic_configs import LARGEST_RECORD
from streamapp.settings import Settings

__all__ = ["Delivery", "Producer"]

#: Records between two polls: few, so that delivery reports do not pile up; many, so that polls cost nothing.
POLL_EVERY: Final = 500
#: Seconds of a wait for delivery reports; between two of them a caller can look around (progress, Ctrl-C).
POLL_S: Final = 0.1
#: Seconds that the reports of purged records may take: they are all there, only to be counted.
PURGE_S: Final = 5.0

TUNING: Final[Mapping[str, str | int | bool]] = {
    # The partition that Java's and aiokafka's producers choose for the same key: librdkafka's own default
    # is CRC32, which would part a click from its profile. Records without a key are spread.
    "partitioner": "murmur2_random",
    # No duplicates and no reordering by retries; it implies acks=all.
    "enable.idempotence": True,
    # 50 ms fill a batch at some thousand records a second; full batches do not wait for it.
    "linger.ms": 50,
    "compression.type": "lz4",
    "message.max.bytes": LARGEST_RECORD,
    # The queue is bounded by bytes as well as records, lest 100,000 large records take 1 GiB, librdkafka's
    # default.
    "queue.buffering.max.kbytes": 256 << 10,
}


class Delivery(msgspec.Struct, frozen=True):
    """How many records were given to the producer, and what the broker said to them."""

    sent: int
    acknowledged: int
    failed: int


class Producer:
    """confluent-kafka's producer, with counts, back-pressure and the first error in readable form.

    Args:
        timeout: seconds after which a record that the broker has not acknowledged has failed.
        on_poll: called after each poll, outside of delivery reports. What it raises comes out of `send` or
            `poll`, never in the middle of a count: the record of that `send` was not sent.

    Raises:
        ProduceError: if librdkafka cannot use the settings (a key file that is not one, say).
    """

    def __init__(
        self, settings: Settings, *, timeout: float = 30.0, on_poll: Callable[[], None] = lambda: None
    ) -> None:
        self._on_poll = on_poll
        self._sent = self._acknowledged = self._failed = 0
        self._first_failure = self._connection_error = ""
        options = {
            **TUNING,
            "message.timeout.ms": max(1, round(timeout * 1000)),
            "on_delivery": self._on_delivery,
            "error_cb": self._on_error,
        }
        try:
            self._producer = confluent_kafka.Producer(librdkafka(settings, options))
        except KafkaException as exc:
            raise ProduceError(f"the settings do not make a producer: {exc.args[0].str()}") from None

    @property
    def stats(self) -> Delivery:
        """The counts up to now; the difference is still on its way."""
        return Delivery(self._sent, self._acknowledged, self._failed)

    @property
    def error(self) -> str:
        """The topic of the first record that failed, and why it did, as one line; empty if none did."""
        return self._first_failure

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp: int | None = None,
        headers: Sequence[tuple[str, str | bytes | None]] = (),
        partition: int = -1,
    ) -> None:
        """Queue a record, and wait while the queue is full. An error is counted, and not raised.

        Args:
            timestamp: event time in ms since 1970; None is the time of sending.
            partition: -1 is that of the key.
        """
        if self._sent % POLL_EVERY == 0:
            self.poll()
        while True:
            try:
                named = [*headers] or None
                self._producer.produce(topic, value, key, partition, timestamp=timestamp or 0, headers=named)
            except BufferError:
                self.poll(POLL_S)
            except KafkaException as exc:
                self._sent += 1
                self._fail(topic, exc.args[0])
                return
            else:
                self._sent += 1
                return

    def poll(self, timeout: float = 0.0) -> None:
        """Take delivery reports, waiting for the first of them up to ``timeout`` seconds."""
        self._producer.poll(timeout)
        self._on_poll()

    def flush(self, deadline: float) -> None:
        """Wait up to ``deadline`` seconds until every record is acknowledged or failed; give up the others.

        All counts are final after it. A record that was given up counts as failed, though one that is already
        on the wire may still get to the broker.
        """
        if not self._drained(deadline):
            self._producer.purge()
            self._drained(PURGE_S)

    def _drained(self, deadline: float) -> bool:
        # In short turns, since Ctrl-C is not heard during a call of librdkafka.
        end = time.monotonic() + deadline
        while len(self._producer) and (left := end - time.monotonic()) > 0:
            self._producer.flush(min(left, POLL_S))
        return not len(self._producer)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._acknowledged += 1
        else:
            self._fail(message.topic() or "", error)

    def _fail(self, topic: str, error: KafkaError) -> None:
        self._failed += 1
        if not self._first_failure:
            reason = error.str()
            if error.name() in {"_MSG_TIMED_OUT", "_PURGE_QUEUE", "_PURGE_INFLIGHT"}:
                # librdkafka's text does not say what the matter is with the broker.
                reason = f"not acknowledged in time ({self._connection_error or 'the broker does not answer'})"
            self._first_failure = f"{topic}: {reason}"

    def _on_error(self, error: KafkaError) -> None:
        # "All brokers down" only repeats what the broker's own error has said, without the reason.
        if error.name() != "_ALL_BROKERS_DOWN":
            self._connection_error = error.str()
