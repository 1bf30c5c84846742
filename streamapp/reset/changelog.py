"""Changelogs, read from outside; and what one says of the join whose state it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from streamapp.joins.declared import DECLARED, Declared
from streamapp.kafka.clients import reader
from streamapp.reset.errors import ResetError
from streamapp.settings import Settings
from streamapp.topology.provenance import TAKEN, Provenance

__all__ = ["declaration", "records"]

#: Records that are taken at once, and the seconds that they may take.
AT_ONCE: Final = 10_000
TURN_S: Final = 1.0
#: Turns without a record after which a broker is taken for one that does not answer.
SILENT_TURNS: Final = 30

_decode: Final = msgspec.json.Decoder(Declared).decode


def declaration(settings: Settings, changelog: str, partitions: int) -> tuple[Declared | None, Provenance | None]:
    """Read what the state of a join is declared as, and where its records are from; None = it does not say.

    Raises:
        ResetError: if it cannot be read.
    """
    declared: Declared | None = None
    provenance: Provenance | None = None
    for record in records(settings, changelog, partitions):
        key, value = record.key(), record.value()
        if value is not None and key == DECLARED:
            declared = _decode(value)
        elif value is not None and key == TAKEN:
            provenance = Provenance.decode(value)
        if declared is not None and provenance is not None:
            break
    return declared, provenance


def records(settings: Settings, changelog: str, partitions: int) -> Iterator[Message]:
    """Read all records of a changelog, of transactions what is committed.

    Raises:
        ResetError: if it cannot be read.
    """
    consumer = reader(settings, f"{changelog}-reader", {"isolation.level": "read_committed"})
    missing, silent = set(range(partitions)), 0
    try:
        consumer.assign([TopicPartition(changelog, number, 0) for number in missing])
        while missing:
            messages = consumer.consume(AT_ONCE, TURN_S)
            silent = 0 if messages else silent + 1
            if silent > SILENT_TURNS:
                raise ResetError(f"{changelog} cannot be read: the broker does not answer")
            for message in messages:
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name for it
                    missing.discard(message.partition())
                else:
                    raise ResetError(f"{changelog} cannot be read: {error.str()}")
    except KafkaException as exc:
        raise ResetError(f"{changelog} cannot be read: {exc.args[0].str()}") from None
    finally:
        consumer.close()
