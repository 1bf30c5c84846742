"""How topics are configured: those that are made here, and what is asked of those that are there.

The times in changelogs and internal topics are those of the records, whatever the broker's defaults are, and nothing of
them goes before it was processed. Kafka deletes the segments of a topic by the times of the records in them: with event
times, ``retention.ms`` would delete what is a week old as soon as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from streamapp.settings import KEEP_ALL, Settings

__all__ = [
    "CHANGELOG",
    "INTERNAL",
    "LARGEST_RECORD",
    "Config",
    "alter_command",
    "appends_time",
    "input_config",
    "older",
    "output_config",
    "retention_ms",
]

Config = Mapping[str, str]

#: Bytes that a record may have on the topics that are created here, and that our producers send: the usual 1 MiB is
#: too small for a 2 MiB value, and the result of a join holds two values.
LARGEST_RECORD: Final = 8 << 20
#: Java's largest long: no bound.
NO_BOUND: Final = str((1 << 63) - 1)

#: The times are the producer's, and not those of the broker when it appends.
EVENT_TIME: Final[Config] = MappingProxyType(
    {"max.message.bytes": str(LARGEST_RECORD), "message.timestamp.type": "CreateTime"}
)
#: Whatever the times are: Kafka 4 refuses those that are more than an hour ahead, where it is not told otherwise.
ANY_TIME: Final[Config] = MappingProxyType(
    {"message.timestamp.before.max.ms": NO_BOUND, "message.timestamp.after.max.ms": NO_BOUND}
)
#: The same for brokers before Kafka 3.6, which do not know these names.
ANY_TIME_BEFORE_3_6: Final[Config] = MappingProxyType({"message.timestamp.difference.max.ms": NO_BOUND})

CHANGELOG: Final[Config] = MappingProxyType({**EVENT_TIME, **ANY_TIME, "cleanup.policy": "compact"})
#: Topics between the agents of an app: they keep everything, and what was processed is purged.
INTERNAL: Final[Config] = MappingProxyType(
    {
        **EVENT_TIME,
        **ANY_TIME,
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "segment.bytes": str(50 << 20),  # what is purged is on the disk until its segment is over
    }
)


def input_config(settings: Settings) -> Config:
    """Return the config of an input topic that is created; how far ahead its times may be is the broker's to say."""
    if settings.retention is None:
        return EVENT_TIME
    kept = -1 if settings.retention == KEEP_ALL else round(settings.retention * 1000)
    return {**EVENT_TIME, "retention.ms": str(kept)}


def output_config(settings: Settings) -> Config:
    """Return the config of a topic for results that is created: it takes whatever time they have."""
    return {**input_config(settings), **ANY_TIME}


def older(config: Config) -> Config | None:
    """Return a config in the words of brokers before Kafka 3.6; None = it has none that they do not know."""
    if config.keys() >= ANY_TIME.keys():
        known = {name: value for name, value in config.items() if name not in ANY_TIME}
        return {**known, **ANY_TIME_BEFORE_3_6}
    return None


def appends_time(config: Config) -> bool:
    """Return whether the times in a topic are those of the broker when it appends."""
    return config.get("message.timestamp.type") == "LogAppendTime"


def retention_ms(config: Config) -> int | None:
    """Return how old (ms of event time) the records of a topic get until they are deleted; None = not for their age."""
    kept = int(config.get("retention.ms", -1))
    deletes = "delete" in config.get("cleanup.policy", "delete")
    return kept if kept >= 0 and deletes and not appends_time(config) else None


def alter_command(settings: Settings, topic: str, config: Config) -> str:
    """Return what changes the config of a topic by hand."""
    added = ",".join(f"{name}={value}" for name, value in config.items())
    return (
        f"kafka-configs.sh --bootstrap-server {settings.broker} --alter --entity-type topics --entity-name {topic} "
        f"--add-config {added}"
    )
