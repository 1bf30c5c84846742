"""What a changelog says of the join whose state it keeps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streamapp.joins.declared import DECLARED, Declared
from streamapp.reset.errors import ResetError
from streamapp.settings import Settings
from streamapp.topology.provenance import TAKEN, Provenance

__all__ = ["declaration"]

#: Records that are taken at once, and the seconds that they may take.
AT_ONCE: Final = 10_000
TURN_S: Final = 1.0
#: Seconds without a record after which a broker is taken for one that does not answer.
PATIENCE_S: Final = 30

_decode: Final = msgspec.json.Decoder(Declared).decode


def declaration(settings: Settings, changelog: str, partitions: int) -> tuple[Declared | None, Provenance | None]:
    """Read what the state of a join is declared as, and where its records are from; None = it does not say.

    Raises:
        ResetError: if it cannot be read.
    """
    options: dict[str, Any] = {
        **settings.librdkafka(),
        "log_level": 0,
        "group.id": f"{changelog}-reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(options)
    try:
        consumer.assign([TopicPartition(changelog, number, 0) for number in range(partitions)])
        return _read(consumer, changelog, set(range(partitions)))
    except KafkaException as exc:
        raise ResetError(f"{changelog} cannot be read: {exc.args[0].str()}") from None
    finally:
        consumer.close()


def _read(consumer: Consumer, changelog: str, missing: set[int]) -> tuple[Declared | None, Provenance | None]:
    rows: dict[bytes, bytes] = {}
    silent = 0
    while missing and not _both(rows):
        messages = consumer.consume(AT_ONCE, TURN_S)
        silent = 0 if messages else silent + 1
        if silent * TURN_S > PATIENCE_S:
            raise ResetError(f"{changelog} cannot be read: the broker does not answer")
        for message in messages:
            if (error := message.error()) is None:
                key, value = message.key(), message.value()
                if key in (DECLARED, TAKEN) and value is not None:
                    rows[key] = value
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's name for it
                missing.discard(message.partition())
            else:
                raise KafkaException(error)
    declared, taken = rows.get(DECLARED), rows.get(TAKEN)
    return declared and _decode(declared), taken and Provenance.decode(taken)  # type: ignore[return-value]


def _both(rows: Collection[bytes]) -> bool:
    return len(rows) == len((DECLARED, TAKEN))
