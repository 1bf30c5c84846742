"""What the JVM of a broker loads, written down for the JVMs of later ones: ``python tests/kafka_aot.py FILE``.

A JVM that begins with such a file (JEP 483, JEP 514) starts Kafka with half the CPU, and tests start dozens of brokers.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamapp.embedded_kafka import EmbeddedKafka

__all__ = ["jvm_options"]

#: Where `make` puts it.
FILE = Path(sys.prefix) / "kafka.aot"
#: A broker of tests lives for minutes: without C2, the JVM's second compiler, it takes half the CPU.
COMPILERS = "-XX:TieredStopAtLevel=1"
TOPIC, RECORDS = "loaded", 100
ANSWER_S = 60.0


def option(name: str, file: Path) -> str:
    return f'-XX:{name}="{file}"'


def jvm_options() -> str:
    """Return the options of the brokers of tests, as the environment has them."""
    return f"{COMPILERS} {option('AOTCache', FILE)}" if FILE.exists() else COMPILERS


def use(bootstrap: str) -> None:
    """Have a broker do what tests have it do."""
    servers: dict[str, str | int | float | bool] = {"bootstrap.servers": bootstrap, "log_level": 0}
    admin = AdminClient(servers)
    admin.create_topics([NewTopic(TOPIC, 2, 1)])[TOPIC].result(ANSWER_S)
    producer = Producer({**servers, "transactional.id": TOPIC, "compression.type": "lz4"})
    consumer = Consumer({**servers, "group.id": TOPIC, "auto.offset.reset": "earliest"})
    producer.init_transactions(ANSWER_S)
    producer.begin_transaction()
    for number in range(RECORDS):
        producer.produce(TOPIC, f"{number}", f"{number}")
    producer.commit_transaction(ANSWER_S)
    consumer.subscribe([TOPIC])
    read = 0
    while read < RECORDS and (messages := consumer.consume(RECORDS, ANSWER_S)):
        read += len(messages)
    consumer.commit(asynchronous=False)
    consumer.close()


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedKafka(Path(directory)) as kafka:
            await asyncio.to_thread(use, kafka.bootstrap)


if __name__ == "__main__":
    written = Path(sys.argv[1])
    os.environ["JDK_JAVA_OPTIONS"] = f"{COMPILERS} {option('AOTCacheOutput', written)}"
    asyncio.run(main())
    if not written.exists():
        sys.exit(f"the JVM has not written {written}")
