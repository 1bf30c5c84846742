"""The join in Pathway: incremental, so that a new profile also gives all earlier clicks of its user anew."""

import os
import time

import pathway as pw

KAFKA = {"bootstrap.servers": os.environ["BROKER"]}


class Document(pw.Schema):
    user_id: str
    value: pw.Json


def read(topic):
    # With one group for both, the second reader to join it makes both wait for a rebalance.
    settings = KAFKA | {"group.id": f"{os.environ['GROUP']}-{topic}", "auto.offset.reset": "earliest"}
    paths = {"user_id": "/user_id", "value": ""}
    return pw.io.kafka.read(settings, topic=topic, schema=Document, format="json", json_field_paths=paths)


clicks = read(os.environ["CLICKS"])
# The latest profile of each user: the Kafka reader only appends, also if the schema names a primary key.
profiles = read(os.environ["PROFILES"])
profiles = profiles.deduplicate(value=profiles.value, instance=profiles.user_id, acceptor=lambda _new, _old: True)
joined = clicks.join(profiles, clicks.user_id == profiles.user_id).select(
    user_id=pw.left.user_id,
    click=pw.left.value,
    profile=pw.right.value,
    join_timestamp=pw.apply_with_type(lambda _: time.time(), float, pw.left.user_id),
)
pw.io.kafka.write(
    joined,
    KAFKA | {"compression.type": "lz4", "linger.ms": os.environ["LINGER_MS"], "partitioner": "murmur2_random"},
    os.environ["JOINED"],
    format="json",
    key=joined.user_id,
)
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
