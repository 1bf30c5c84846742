"""The configuration of a Kafka of one node: small, quick to start, and safe to kill."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["LOG4J", "NODE_ID", "VERSION", "ports_of", "render", "server_properties"]

#: Which Apache Kafka it is.
VERSION: Final = "4.3.1"
#: The node id; the metadata in a data directory belongs to it.
NODE_ID: Final = 1
#: Properties whose values are added to ours.
LISTS: Final = ("listeners", "listener.security.protocol.map")
PORT: Final = re.compile(r":(\d+)\s*(?:,|$)")
MIB: Final = 1 << 20
#: Warnings and errors only, to the file that also takes what the JVM itself has to say.
LOG4J: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="ERROR">
  <Appenders>
    <Console name="log">
      <PatternLayout charset="UTF-8" pattern="%d %p %m (%c)%n%throwable"/>
    </Console>
  </Appenders>
  <Loggers>
    <Root level="warn">
      <AppenderRef ref="log"/>
    </Root>
  </Loggers>
</Configuration>
"""


def server_properties(data: Path, *, port: int, controller_port: int, config: Mapping[str, str]) -> dict[str, str]:
    """Return Kafka's broker properties.

    Args:
        data: directory of the topics.
        port: of the plaintext listener on 127.0.0.1.
        controller_port: of the KRaft controller on 127.0.0.1.
        config: properties that take the place of these. Only ``listeners`` and
            ``listener.security.protocol.map`` add to ours: the plaintext listener stays.
    """
    defaults = {
        "process.roles": "broker,controller",
        "node.id": f"{NODE_ID}",
        "controller.quorum.voters": f"{NODE_ID}@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": f"{data}",
        # A topic is created on purpose: a mistyped name is an error, not a new topic.
        "auto.create.topics.enable": "false",
        "num.partitions": "8",
        # There is one node, and few partitions of Kafka's own topics make the first consumer wait less.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # After kill -9 a broker cannot come back before its old session has ended: 9 s by default.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # By default a new group waits 3 s for more members.
        "group.initial.rebalance.delay.ms": "0",
        "message.max.bytes": f"{16 * MIB}",
        "replica.fetch.max.bytes": f"{16 * MIB}",
        # Kafka counts event times: what is older than a retention is deleted as soon as it was written.
        "log.retention.ms": "-1",
        "log.segment.bytes": f"{128 * MIB}",
        # Index files are made at full size, 10 MiB by default; this is enough for a segment of 128 MiB.
        "log.index.size.max.bytes": f"{MIB}",
        # By default the cleaner takes 128 MiB of the heap.
        "log.cleaner.dedupe.buffer.size": f"{16 * MIB}",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }
    added = {name: f"{defaults[name]},{config[name]}" for name in LISTS if name in config}
    return defaults | dict(config) | added


def ports_of(config: Mapping[str, str]) -> frozenset[int]:
    """Return the ports of the listeners that such properties add."""
    return frozenset(map(int, PORT.findall(config.get("listeners", ""))))


def render(properties: Mapping[str, str]) -> str:
    r"""Return the text of a Java properties file.

    JSON's escapes (``\\``, ``\n``, ``\u00e9``) are among those of a properties file, which is Latin-1.
    """
    return "".join(f"{name}={json.dumps(value)[1:-1]}\n" for name, value in properties.items())
