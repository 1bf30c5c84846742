"""What changelogs take: a row that is none of it is refused before it is in the table, and its record is found.

The broker would refuse it in the middle of a commit, when results that were joined with it are on their way, and nobody
knows any more which record it came from. So the limits of a changelog are asked for, and each batch's rows are compared
with them as soon as the agent is done with it: the batch is then cut down to the record at fault, as one that an agent
fails on. Where the broker does not tell its limits, it tells by refusing a row, once: the work since the last commit is
done again, by what is known then. (Responses as in aiokafka 0.14, `protocol/admin.py`.)
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DescribeConfigsRequest

from streamapp.joins.rows import Row
from streamapp.kafka.compression import CODECS, NO_CODEC
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.record_writer import size_of
from streamapp.kafka.refusals import Cause, RecordRefusedError, RefusedError
from streamapp.rate_limit import RateLimit
from streamapp.runtime.work import Work
from streamapp.settings import Compression

__all__ = ["ChangelogLimits", "Limits", "RowRefusedError"]

logger = logging.getLogger(__name__)

#: Seconds that the broker has to tell the limits of topics, and between two questions because of rows it refuses.
DESCRIBE_TIMEOUT_S: Final = 5.0
DESCRIBE_INTERVAL_S: Final = 5.0
#: Bytes of a record batch besides the key and the value of its only record, at most.
RECORD_BATCH_OVERHEAD_BYTES: Final = 128
#: The limit where there is none, or from which on there is none: Kafka's default is the largest int64.
NO_LIMIT: Final = 1 << 62
#: Taken off a limit that is known by one row only: the clock goes on.
CLOCK_MARGIN_MS: Final = 60_000
#: Kafka's type of resources that are topics.
TOPIC_RESOURCE: Final = 2
LIMIT_CONFIGS: Final = (
    "max.message.bytes",
    "compression.type",
    "message.timestamp.type",
    "message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms",
    "message.timestamp.difference.max.ms",  # Kafka before 3.6
)


class RowRefusedError(Exception):
    """A row that its changelog does not take; the text is one line without its key and its value."""

    def __init__(self, cause: Cause, text: str) -> None:
        super().__init__(text)
        self.cause = cause


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a topic takes, as far as it is known."""

    #: Bytes of a record batch, as it is sent, or as it is before that where the broker does not keep it compressed.
    most_bytes: int = NO_LIMIT
    #: How far (ms) a timestamp may be before and after the broker's clock.
    before_ms: int = NO_LIMIT
    after_ms: int = NO_LIMIT
    #: Whether the topic keeps record batches as they are sent; with compression.type=uncompressed it does not.
    compressed: bool = True

    @classmethod
    def of(cls, config: Mapping[str, str]) -> Limits:
        """Read them from a topic's configuration."""
        most = int(config.get("max.message.bytes", NO_LIMIT))
        compressed = config.get("compression.type") != "uncompressed"
        if config.get("message.timestamp.type") == "LogAppendTime":
            return cls(most, compressed=compressed)
        both = config.get("message.timestamp.difference.max.ms", NO_LIMIT)
        sides = (int(config.get(f"message.timestamp.{side}.max.ms", both)) for side in ("before", "after"))
        before, after = (min(ms, NO_LIMIT) for ms in sides)
        return cls(most, before, after, compressed)

    def stricter(self, other: Limits) -> Limits:
        """Return what satisfies both."""
        return Limits(
            min(self.most_bytes, other.most_bytes),
            min(self.before_ms, other.before_ms),
            min(self.after_ms, other.after_ms),
            self.compressed and other.compressed,
        )

    def check(self, topic: str, changes: Mapping[bytes, Row | None], now: int, codec: int) -> None:
        """Compare rows for a changelog with the limits; a RowRefusedError if one is not taken.

        Args:
            now: the wall time (ms).
            codec: by which they are compressed (`CODECS`).
        """
        sizes = [len(row.value) for row in changes.values() if row is not None]
        if not sizes:
            return
        if max(sizes) + max(map(len, changes)) + RECORD_BATCH_OVERHEAD_BYTES > self.most_bytes:
            self._check_sizes(topic, changes, codec if self.compressed else NO_CODEC)
        if self.before_ms == self.after_ms == NO_LIMIT:
            return
        times = [row.timestamp for row in changes.values() if row is not None]
        if (latest := max(times)) > now + self.after_ms:
            raise _mistimed(topic, latest, f"more than {self.after_ms:,} ms ahead (message.timestamp.after.max.ms)")
        if (earliest := min(times)) < now - self.before_ms:
            raise _mistimed(topic, earliest, f"more than {self.before_ms:,} ms ago (message.timestamp.before.max.ms)")

    def _check_sizes(self, topic: str, changes: Mapping[bytes, Row | None], codec: int) -> None:
        most = self.most_bytes
        for key, row in changes.items():
            if row is None or len(key) + len(row.value) + RECORD_BATCH_OVERHEAD_BYTES <= most:
                continue
            size = size_of((Envelope(key, row.timestamp), row.value), codec)
            if size > most:
                text = f"the changelog {topic} takes no row of {len(row.value):,} bytes, {size:,} as it is sent"
                raise RowRefusedError(Cause.TOO_LARGE, f"{text}: at most {most:,} (max.message.bytes)")


def _mistimed(topic: str, timestamp: int, why: str) -> RowRefusedError:
    return RowRefusedError(
        Cause.INVALID_TIMESTAMP, f"the changelog {topic} takes no row with the timestamp {timestamp}: it is {why}"
    )


class BrokerClient(Protocol):
    """What has a client of aiokafka."""

    @property
    def client(self) -> AIOKafkaClient:
        """aiokafka's client, which is another one once the producer was made anew."""


class ChangelogLimits:
    """The limits of the app's changelogs, as far as they are known."""

    def __init__(self, broker: BrokerClient, compression: Compression) -> None:
        self._broker = broker
        self._codec = CODECS[compression]
        self._asked: dict[str, Limits] = {}
        #: What refused rows have told.
        self._learned: dict[str, Limits] = {}
        self._again = RateLimit(DESCRIBE_INTERVAL_S)

    async def check(self, work: Work) -> None:
        """Compare the rows that work has written with what changelogs take; a RowRefusedError if one is not taken."""
        topics = [rows.changelog.topic for rows in work.changes]
        if unknown := [topic for topic in topics if topic not in self._asked]:
            await self._ask(unknown)
        try:
            self._check(work)
        except RowRefusedError:
            if not self._again.due(tuple(topics)):
                raise
            await self._ask(topics)  # somebody may have raised them
            self._check(work)

    def _check(self, work: Work) -> None:
        now = int(time.time() * 1000)
        for rows, changes in work.changes.items():
            topic = rows.changelog.topic
            limits = self._asked[topic]
            if topic in self._learned:
                limits = limits.stricter(self._learned[topic])
            limits.check(topic, changes, now, self._codec)

    async def learn(self, topic: str, result: Result, error: RecordRefusedError) -> None:
        """Take note of a row that a changelog has refused, so that it is refused here before that the next time.

        Raises:
            RefusedError: if that is for another reason than its size or its timestamp.
        """
        await self._ask([topic])
        now, (envelope, value) = int(time.time() * 1000), result
        timestamp = envelope.timestamp or 0
        match error.cause:
            case Cause.TOO_LARGE:
                found = Limits(most_bytes=size_of((Envelope(envelope.key, timestamp), value), self._codec) - 1)
            case Cause.INVALID_TIMESTAMP if timestamp > now:
                found = Limits(after_ms=max(0, timestamp - now - CLOCK_MARGIN_MS))
            case Cause.INVALID_TIMESTAMP:
                found = Limits(before_ms=max(0, now - timestamp - CLOCK_MARGIN_MS))
            case _:
                raise RefusedError(f"the changelog {topic} refuses a row: {error}")
        self._learned[topic] = found.stricter(self._learned.get(topic, Limits()))

    async def _ask(self, topics: Iterable[str]) -> None:
        known = {topic: self._asked.get(topic, Limits()) for topic in topics}
        client = self._broker.client
        request = DescribeConfigsRequest([(TOPIC_RESOURCE, topic, list(LIMIT_CONFIGS)) for topic in known])
        try:
            async with asyncio.timeout(DESCRIBE_TIMEOUT_S):
                response = await client.send(client.get_random_node(), request)
        except (KafkaError, TimeoutError) as exc:
            logger.info("The broker does not tell the limits of %s: %r", ", ".join(known), exc)
        else:
            for code, _, _, topic, entries in response.resources:
                if code:
                    logger.info("The broker does not tell the limits of %s: %s", topic, for_code(code).__name__)
                else:
                    known[topic] = Limits.of({name: value for name, value, *_ in entries if value is not None})
        self._asked.update(known)
