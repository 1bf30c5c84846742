"""Dead letters: records that cannot be used, kept as they came, with the reason in their headers."""

from __future__ import annotations

import dataclasses
import enum
import logging
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import MessageSizeTooLargeError
from faust.types import TP

from streamapp.batching.output import Envelope, Output, Result, Results
from streamapp.batching.rate_limit import RateLimit

if TYPE_CHECKING:
    from streamapp.batching.batch import Batch, Record

__all__ = ["DeadLetters", "Reason", "Rejected"]

logger = logging.getLogger(__name__)

#: Seconds between two log lines for the same topic and reason: a flood of bad records must not flood the log.
LOG_EVERY: Final = 10.0
#: Bytes of an error that are kept in a dead letter which is too large without its value, too.
ERROR_AT_MOST: Final = 1_000


class Reason(enum.StrEnum):
    """Why a record went to the dead letters."""

    NOT_JSON = "not_json"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    NULL_KEY = "null_key"
    HEADER_NOT_UTF8 = "header_not_utf8"
    KEY_MISMATCH = "key_mismatch"
    TOMBSTONE = "tombstone"
    UNKNOWN_CODEC = "unknown_codec"
    TOO_LARGE = "too_large"
    AGENT_FAILED = "agent_failed"
    #: A function that was given to a join refused it.
    REFUSED = "refused"
    #: An update of a versioned table, older than its history.
    EXPIRED = "expired"


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be used, where it is from, why, and the error in words."""

    tp: TP
    record: Record
    reason: Reason
    error: str
    #: The traceback of what an agent raised.
    traceback: str = ""
    #: The join that rejected it, which keeps accounts of its own.
    join: str = ""


class DeadLetters(Output):
    """The topic for rejected records; counts them by topic and reason, and logs some of them.

    A dead letter has the key, the value, the timestamp and the headers of the rejected record; before these
    headers stand ``topic``, ``partition``, ``offset``, ``reason`` and ``error``, and ``traceback`` if an agent
    failed. A value that the topic refuses for its size is left out, and the header ``value_bytes`` tells its size; if
    that is not enough, so are the key and all headers but those five. The record itself is still where ``topic``,
    ``partition`` and ``offset`` say.
    """

    def __init__(self, app: Any, topic: str) -> None:
        super().__init__(app, topic)
        self._logged = RateLimit(LOG_EVERY)
        #: Records rejected so far, by topic and reason.
        self.counts: Counter[tuple[str, Reason]] = Counter()

    def reject(self, batch: Batch, rejected: Iterable[Rejected]) -> None:
        """Send rejected records of a batch once the agent is done with it."""
        batch.work.rejected += rejected

    def letters(self, rejected: Iterable[Rejected]) -> list[Result]:
        """Make the dead letters of rejected records, count and log them."""
        letters: list[Result] = []
        for one in rejected:
            self.counts[one.tp.topic, one.reason] += 1
            self._log(one)
            if not one.join:
                self._app.watch.rejected(one)
            if one.tp.topic != self.topic:  # a dead letter is in the dead letters, and would come back without end
                letters.append((_envelope(one), one.record.value))
        return letters

    async def instead_of(self, result: Result, source: TP, topic: str) -> None:
        """Send the record that gave a result, since a topic refuses the result for its size.

        Args:
            result: the result.
            source: the partition of the record that gave it.
            topic: the topic that refuses it.
        """
        origin = result[0]
        record: Any = origin
        if isinstance(origin, Envelope):
            record, source = origin.source, origin.tp or source
        error = f"{topic} refuses the result for its size (max.message.bytes)"
        if letters := self.letters([Rejected(source, record, Reason.TOO_LARGE, error)]):
            await self._app.checkpoint.send(Results(self, letters, source, rekeyed=True))

    async def refused(self, result: Result, source: TP) -> None:
        """Send a dead letter that is too large again, without its value, then without all that is the record's.

        Raises:
            MessageSizeTooLargeError: if the topic takes not even that.
        """
        letter, value = result
        own, more = list(letter.headers[:5]), letter.headers[5:]
        if value is not None:
            headers = [*own, ("value_bytes", str(len(value)).encode()), *more]
            emptied: Result = (Envelope(letter.key, letter.timestamp, headers), None)
        elif letter.key is not None or more:
            own[4] = ("error", own[4][1][:ERROR_AT_MOST])
            emptied = (Envelope(None, letter.timestamp, own), None)
        else:
            raise MessageSizeTooLargeError(f"{self.topic} takes no dead letters: its max.message.bytes is too small")
        await self._app.checkpoint.send(Results(self, [emptied], source, rekeyed=True))

    def _log(self, one: Rejected) -> None:
        if self._logged.due((one.tp.topic, one.reason)):
            logger.warning(
                "%s[%d]@%d went to the dead letters, %s: %s (%d for this reason so far)",
                *one.tp,
                one.record.offset,
                one.reason,
                one.error,
                self.counts[one.tp.topic, one.reason],
            )


def _envelope(one: Rejected) -> Envelope:
    headers = [
        ("topic", one.tp.topic.encode()),
        ("partition", str(one.tp.partition).encode()),
        ("offset", str(one.record.offset).encode()),
        ("reason", one.reason.encode()),
        ("error", one.error.encode()),
    ]
    if one.traceback:
        headers.append(("traceback", one.traceback.encode()))
    # A record that a join kept for a time has no headers any more.
    return Envelope(one.record.key, one.record.timestamp, [*headers, *getattr(one.record, "headers", ())])
