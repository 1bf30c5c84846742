"""The settings that are varied, each alone: their values, and what carries them here."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["KNOBS", "Knob", "Subject"]


class Subject(enum.StrEnum):
    """Whose setting it is, and so what is measured."""

    #: A worker that joins clicks, by an environment variable.
    WORKER = "worker"
    #: The same, with an option that there is no variable for (`programs/streamapp/tuned.py`).
    WORKER_OPTION = "worker option"
    #: How many partitions the topics have that a worker reads.
    PARTITIONS = "partitions"
    #: A producer as that of ``streamapp produce``, by an option of librdkafka.
    PRODUCER = "producer"
    #: Two workers, of which one is gone.
    SESSION = "session"


@dataclasses.dataclass(frozen=True)
class Knob:
    """A setting that is varied.

    Args:
        name: by which it is chosen.
        kafka: Kafka's name for it.
        ours: what carries it here, in Markdown.
        subject: see `Subject`.
        variable: the name by which the subject is told.
        values: by how people read them, as the subject is told.
        default: which of the values it has by default.
        why: the reason for the default, in a sentence.
    """

    name: str
    kafka: str
    ours: str
    subject: Subject
    variable: str
    values: Mapping[str, str]
    default: str
    why: str


def _bytes(*sizes: int) -> Mapping[str, str]:
    def shown(size: int) -> str:
        return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB" if size >= 1 << 10 else f"{size} B"

    return MappingProxyType({shown(size): f"{size}" for size in sizes})


def _as_they_are(*values: str, unit: str = "") -> Mapping[str, str]:
    return MappingProxyType({f"{value}{unit}": value for value in values})


KIB, MIB = 1 << 10, 1 << 20

KNOBS: Final = (
    Knob(
        "fetch-min-bytes",
        "fetch.min.bytes",
        "`STREAMAPP_FETCH_MIN_BYTES`",
        Subject.WORKER,
        "STREAMAPP_FETCH_MIN_BYTES",
        _bytes(1, 16 * KIB, 64 * KIB, 256 * KIB),
        "1 B",
        "While a worker is behind, fetches are full by themselves; once it is not, more makes records wait, for less "
        "CPU.",
    ),
    Knob(
        "batch-records",
        "max.poll.records",
        "`STREAMAPP_BATCH_RECORDS`; a record batch is not divided",
        Subject.WORKER,
        "STREAMAPP_BATCH_RECORDS",
        MappingProxyType({f"{number:,}": f"{number}" for number in (500, 2_000, 5_000, 20_000, 100_000)}),
        "5,000",
        "So many share what a batch costs; more take memory, make a failing agent do more again, and the rest of the "
        "worker wait.",
    ),
    Knob(
        "partition-fetch-bytes",
        "max.partition.fetch.bytes",
        "`STREAMAPP_BUFFER`",
        Subject.WORKER,
        "STREAMAPP_BUFFER",
        _bytes(64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB),
        "4 MiB",
        "Enough for large records, too; it is memory for each partition.",
    ),
    Knob(
        "linger",
        "linger.ms",
        "`STREAMAPP_LINGER`",
        Subject.WORKER,
        "STREAMAPP_LINGER",
        _as_they_are("0", "5", "20", "50", "100", unit=" ms"),
        "0 ms",
        "Batches come from what is fetched, and grow while a request is under way: nothing has to be waited for.",
    ),
    Knob(
        "batch-size",
        "batch.size",
        "1 MiB, fixed",
        Subject.WORKER_OPTION,
        "BATCH_SIZE",
        _bytes(16 * KIB, 64 * KIB, 256 * KIB, MIB),
        "1 MiB",
        "The largest that brokers take by default; a batch that is not full goes all the same.",
    ),
    Knob(
        "compression",
        "compression.type",
        "`STREAMAPP_COMPRESSION`",
        Subject.WORKER,
        "STREAMAPP_COMPRESSION",
        _as_they_are("none", "snappy", "lz4", "zstd"),
        "snappy",
        "No more CPU than without compression, a fifth of the bytes here, and read by every client.",
    ),
    Knob(
        "commit-interval",
        "commit.interval.ms",
        "`STREAMAPP_COMMIT_INTERVAL`",
        Subject.WORKER,
        "STREAMAPP_COMMIT_INTERVAL",
        _as_they_are("0.1", "0.5", "1", "5", "30", unit=" s"),
        "1 s",
        "It is what a killed worker does again at most; with exactly_once results wait for it, so there it is 0.1 s.",
    ),
    Knob(
        "partitions",
        "partitions",
        "the topics'; `STREAMAPP_PARTITIONS` for those that are made",
        Subject.PARTITIONS,
        "",
        _as_they_are("1", "4", "8", "16", "64"),
        "8",
        "Room for eight workers.",
    ),
    Knob(
        "acks",
        "acks",
        "`all`, fixed, with idempotence",
        Subject.PRODUCER,
        "acks",
        _as_they_are("0", "1", "all"),
        "all",
        "With less, what a broker has acknowledged can be lost, and commits go by the acknowledgements.",
    ),
    Knob(
        "produce-linger",
        "linger.ms",
        "50 ms in `streamapp produce`, fixed",
        Subject.PRODUCER,
        "linger.ms",
        _as_they_are("0", "5", "50", "200", unit=" ms"),
        "50 ms",
        "It sends one record at a time, so only waiting makes batches; nobody waits for its answers.",
    ),
    Knob(
        "session-timeout",
        "session.timeout.ms",
        "`STREAMAPP_SESSION_TIMEOUT`",
        Subject.SESSION,
        "STREAMAPP_SESSION_TIMEOUT",
        _as_they_are("6", "10", "20", "30", unit=" s"),
        "10 s",
        "Partitions of a worker that is gone stand still for so long, and little longer; heartbeats have a thread of "
        "their own, so a busy worker needs no longer one.",
    ),
)
"""All that `--settings` chooses from, in the order in which they are varied."""
