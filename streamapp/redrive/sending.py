"""Sending letters once more: the records and their rows in the ledger in transactions, by one command at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final, Self

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message

from streamapp.errors import StreamappError
from streamapp.kafka.admin import SPEC, Cluster
from streamapp.kafka.clients import librdkafka
from streamapp.kafka.partition import TP
from streamapp.kafka.partitioner import partition_of
from streamapp.kafka.producer import TUNING
from streamapp.redrive.drafts import Outgoing
from streamapp.redrive.ledger import Ledger, Row
from streamapp.settings import Settings

__all__ = ["AT_ONCE", "SendError", "Sender", "place_of"]

#: Records of a transaction.
AT_ONCE: Final = 500
#: Seconds that the broker has for each step of a transaction.
ANSWER_S: Final = 30.0
#: Milliseconds after which the broker aborts a transaction whose command was killed: until then, or until the command
#: runs again, workers that read what is committed wait.
TIMEOUT_MS: Final = 20_000
#: Errors by which the broker tells a producer that another one has its transactional id now.
FENCED: Final = frozenset({"_FENCED", "PRODUCER_FENCED", "INVALID_PRODUCER_EPOCH"})
#: Errors that only say that something has ended a producer, or of a transaction that was ended with it.
ENDED: Final = frozenset({"_FATAL", "_STATE", "_PURGE_QUEUE", "_PURGE_INFLIGHT"})


class SendError(StreamappError):
    """Records that could not be sent; the text is one line that says why, and what to do."""


def place_of(outgoing: Outgoing, count: int) -> TP:
    """Return the partition that a record goes to: its own, or that of another key, of so many that there are."""
    source, key = outgoing.letter.source, outgoing.key
    if key == outgoing.letter.key and source.offset >= 0 and source.partition < count:
        return source.tp
    return TP(source.topic, partition_of(key, count))


class Sender:
    """Sends records in transactions; to be used in a `with`.

    Whoever begins fences who was before, and aborts what that had not committed: from then on the ledger is as it will
    stay, but for what is sent here.

    Raises:
        SendError: by all methods, if the broker refuses, or does not answer.
    """

    def __init__(self, settings: Settings, cluster: Cluster, ledger: Ledger) -> None:
        self._cluster = cluster
        self._ledger = ledger
        self._error: tuple[str, KafkaError] | None = None
        #: What has ended the producer, if something has: from then on all it says is that something has (`_FATAL`).
        self._fatal: KafkaError | None = None
        options: dict[str, Any] = {
            **TUNING,
            "transactional.id": f"{ledger.letters}-redrive",
            "transaction.timeout.ms": TIMEOUT_MS,
        }
        try:
            self._producer = confluent_kafka.Producer(librdkafka(settings, options))
            self._producer.init_transactions(ANSWER_S)
        except KafkaException as exc:
            raise self._told(exc.args[0]) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(KafkaException):  # whose reason was told
            self._producer.purge()
            self._producer.flush(0)

    def send(self, records: Sequence[tuple[Outgoing, TP]], there: Sequence[Outgoing] = ()) -> None:
        """Send records to partitions, all or none; of those that are there already, only the ledger is told."""
        ends = self._cluster.offsets({tp for _, tp in records}, SPEC.latest())
        producer, ledger = self._producer, self._ledger
        try:
            producer.begin_transaction()
            for one, tp in records:
                self._produce(ledger.topic, ledger.key(one.letter), Row(*tp, ends[tp].offset).encode(), 0)
            for one in there:
                self._produce(ledger.topic, ledger.key(one.letter), Row(*one.letter.source).encode(), 0)
            self._flush()
            for one, tp in records:
                self._produce(tp.topic, one.key, one.value, tp.partition, one)
            self._flush()
            producer.commit_transaction(ANSWER_S)
        except KafkaException as exc:
            self._abort()
            raise self._told(exc.args[0]) from None
        except BaseException:
            self._abort()
            raise

    def _produce(
        self, topic: str, key: bytes | None, value: bytes | None, partition: int, one: Outgoing | None = None
    ) -> None:
        place = topic if one is None else str(one.letter.place)

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None and self._error is None:
                self._error = place, error

        # librdkafka takes 0 for none, and puts the time of sending there.
        timestamp = 0 if one is None else max(1, one.timestamp)
        headers: list[tuple[str, str | bytes | None]] | None = None if one is None else [*one.headers]
        while True:
            try:
                self._producer.produce(
                    topic, value, key, partition, timestamp=timestamp, headers=headers, on_delivery=delivered
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as exc:
                if (error := self._cause(exc.args[0])).name() in FENCED:
                    raise self._told(error) from None
                raise SendError(f"{place} cannot be sent to {topic}: {error.str()}") from None
            else:
                return

    def _flush(self) -> None:
        left = self._producer.flush(ANSWER_S)
        if self._error is not None:
            place, error = self._error[0], self._cause(self._error[1])
            if error.name() in FENCED:
                raise self._told(error)
            raise SendError(f"{place} cannot be sent: {error.str()}; mend it, or leave it out")
        if left:
            raise SendError(f"Kafka did not take {left} records within {ANSWER_S:g} s; the command can be run again")

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(ANSWER_S)
        except KafkaException:
            return  # it was fenced, or the broker is away: who begins next aborts it

    def _cause(self, error: KafkaError) -> KafkaError:
        """Return what is behind an error: of a producer that something has ended, an abort always says what it was."""
        if self._fatal is None and error.name() in ENDED:
            try:
                self._producer.abort_transaction(ANSWER_S)
            except KafkaException as exc:
                error = exc.args[0] if exc.args[0].fatal() else error
        if error.fatal() and error.name() not in ENDED:
            self._fatal = self._fatal or error
        return self._fatal or error

    def _told(self, error: KafkaError) -> SendError:
        cause = self._cause(error)
        if cause.name() in FENCED:
            return SendError("another redrive of these letters has begun since, and this one has ended: run it again")
        return SendError(f"{cause.str()}; what is sent so far is not sent again")
