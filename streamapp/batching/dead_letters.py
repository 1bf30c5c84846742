"""Dead letters: records that cannot be used, kept as they came, with the reason in their headers."""

from __future__ import annotations

import dataclasses
import enum
import logging
import time
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from aiokafka.errors import MessageSizeTooLargeError

if TYPE_CHECKING:
    from streamapp.batching.batch import Record
    from streamapp.batching.output import Output

__all__ = ["DeadLetters", "Reason", "Rejected"]

logger = logging.getLogger(__name__)

#: Seconds between two log lines for the same topic and reason: a flood of bad records must not flood the log.
LOG_EVERY: Final = 10.0


class Reason(enum.StrEnum):
    """Why a record went to the dead letters."""

    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NULL_KEY = "null_key"
    KEY_MISMATCH = "key_mismatch"
    TOMBSTONE = "tombstone"
    UNKNOWN_CODEC = "unknown_codec"
    TOO_LARGE = "too_large"
    AGENT_FAILED = "agent_failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be used, why, and the error in words."""

    record: Record
    reason: Reason
    error: str


class DeadLetters:
    """Sends rejected records to a topic, counts them by topic and reason, and logs some of them.

    A dead letter has the key, the value, the timestamp and the headers of the rejected record; before these
    headers stand ``topic``, ``partition``, ``offset``, ``reason`` and ``error``. A value that the topic refuses
    for its size is left out, and the header ``value_bytes`` tells its size: the record itself is still where
    ``topic``, ``partition`` and ``offset`` say.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._logged: dict[tuple[str, Reason], float] = {}
        #: Records rejected so far, by topic and reason.
        self.counts: Counter[tuple[str, Reason]] = Counter()

    async def send(self, rejected: Iterable[Rejected]) -> None:
        """Send the records and wait until the broker has them.

        Raises:
            KafkaError: if the broker did not take them; then none of them may be taken as done.
        """
        for one in rejected:
            record = one.record
            headers = [
                ("topic", record.topic.encode()),
                ("partition", str(record.partition).encode()),
                ("offset", str(record.offset).encode()),
                ("reason", one.reason.encode()),
                ("error", one.error.encode()),
                *record.headers,
            ]
            try:
                await self._output.send_one(record.key, record.value, record.timestamp, headers)
            except MessageSizeTooLargeError:
                headers.insert(5, ("value_bytes", str(len(record.value or b"")).encode()))
                await self._output.send_one(record.key, None, record.timestamp, headers)
            self.counts[record.topic, one.reason] += 1
            self._log(one)

    def _log(self, one: Rejected) -> None:
        record, now = one.record, time.monotonic()
        last = self._logged.get((record.topic, one.reason))
        if last is None or now - last >= LOG_EVERY:
            self._logged[record.topic, one.reason] = now
            logger.warning(
                "%s[%d]@%d went to the dead letters, %s: %s (%d for this reason so far)",
                record.topic,
                record.partition,
                record.offset,
                one.reason,
                one.error,
                self.counts[record.topic, one.reason],
            )
