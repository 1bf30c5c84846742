"""The settings of confluent-kafka's clients, both kinds of which are librdkafka's; arguments add to them."""

import sys

from client_task import (
    ACKS,
    AT_ONCE,
    BATCH_BYTES,
    BROKER,
    COMPRESSION,
    FETCH_BYTES,
    FETCH_WAIT_MS,
    GROUP,
    IDEMPOTENT,
    LINGER_MS,
)

PRODUCER = {
    "bootstrap.servers": BROKER,
    "log_level": 0,
    "compression.type": COMPRESSION or "none",
    "batch.size": BATCH_BYTES,
    "linger.ms": LINGER_MS,
    "max.in.flight.requests.per.connection": AT_ONCE,
    "enable.idempotence": IDEMPOTENT,
    "acks": ACKS,
}
CONSUMER = {
    "bootstrap.servers": BROKER,
    "log_level": 0,
    "group.id": GROUP,
    "enable.auto.commit": False,
    "max.partition.fetch.bytes": FETCH_BYTES,
    "fetch.wait.max.ms": FETCH_WAIT_MS,
    # As the other clients do.
    "check.crcs": True,
}

for setting in sys.argv[1:]:
    client, _, assigned = setting.partition(":")
    name, _, value = assigned.partition("=")
    {"producer": PRODUCER, "consumer": CONSUMER}[client][name] = value
