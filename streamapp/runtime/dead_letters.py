"""Dead letters: records that cannot be used, kept as they came, with the reason in their headers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

import msgspec
from faust.types import TP

from streamapp.formats.undecodable import Reason
from streamapp.joins.records import Record
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.refusals import Cause, RecordRefusedError, RefusedError
from streamapp.rate_limit import RateLimit
from streamapp.runtime.batch import Batch
from streamapp.runtime.output import Output, Outputs
from streamapp.runtime.work import Rejected, Results

__all__ = ["DeadLetters"]

logger = logging.getLogger(__name__)

#: Seconds between two log lines for the same topic and reason: a flood of bad records must not flood the log.
LOG_EVERY: Final = 10.0
#: Bytes of an error that are kept in a dead letter which is too large without its value, too.
ERROR_MAX_BYTES: Final = 1_000
#: How many headers are a dead letter's own, before all others.
OWN_HEADERS: Final = 5


class _Made(msgspec.Struct, frozen=True, gc=False):
    """A result as the record of its own dead letter."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int = -1


class Sender(Protocol):
    """Sends results outside of a batch's work, with the commit under way."""

    async def send(self, results: Results) -> None:
        """Send results."""
        ...


class RejectionWatch(Protocol):
    """Counts the records that agents reject."""

    def rejected(self, one: Rejected) -> None:
        """Count one."""
        ...


class LettersApp(Outputs, Protocol):
    """The app, as far as the dead letters know it."""

    @property
    def settling(self) -> Sender:
        """Sends the letters of results that are refused in a commit."""
        ...

    @property
    def watch(self) -> RejectionWatch:
        """Is told of rejected records."""
        ...


class DeadLetters(Output):
    """The topic for rejected records; counts them by topic and reason, and logs some of them.

    A dead letter has the key, the value, the timestamp and the headers of the rejected record; before these
    headers stand ``topic``, ``partition``, ``offset``, ``reason`` and ``error``, and ``traceback`` if an agent
    failed. A value that the topic refuses for its size is left out, and the header ``value_bytes`` tells its size; if
    that is not enough, so are the key and all headers but those five. The record itself is still where ``topic``,
    ``partition`` and ``offset`` say. A timestamp that the topic refuses becomes the header ``timestamp`` (ms), and the
    dead letter has the time of its sending; for a compacted topic a missing key is made of topic, partition and offset.

    A result that the broker refuses is a dead letter itself if no record gave it alone, as with a window that is
    reduced: ``topic`` is then the one that it is for, and ``offset`` is -1.
    """

    def __init__(self, app: LettersApp, topic: str) -> None:
        super().__init__(app, topic)
        self._letters = app
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
                self._letters.watch.rejected(one)
            if one.tp.topic != self.topic:  # a dead letter is in the dead letters, and would come back without end
                letters.append((_envelope(one), one.record.value))
        return letters

    async def instead_of(
        self, result: Result, source: TP, record: Record | None, topic: str, error: RecordRefusedError
    ) -> None:
        """Send the record that gave a result, since the broker refuses the result.

        Args:
            result: the result.
            source: the partition of the record that gave it.
            record: that record; None = the result goes instead.
            topic: the topic that the result is for.
            error: what the broker says.
        """
        if record is None:
            stamped, value = result
            source, record = TP(topic, source.partition), _Made(stamped.key, value, stamped.timestamp or 0)
        rejected = Rejected(source, record, Reason(error.cause), f"{topic} refuses the result: {error}")
        if letters := self.letters([rejected]):
            await self._letters.settling.send(Results(self, letters, source, rekeyed=True))

    async def refused(self, result: Result, source: TP, record: Record | None, error: RecordRefusedError) -> None:
        """Send a dead letter that the broker refuses again, without what it refuses it for.

        Raises:
            RefusedError: if the topic takes not even that.
        """
        letter, value = result
        own, more, key, timestamp = (
            list(letter.headers[:OWN_HEADERS]),
            letter.headers[OWN_HEADERS:],
            letter.key,
            letter.timestamp,
        )
        if error.cause is Cause.INVALID_TIMESTAMP and timestamp is not None:
            own.append(("timestamp", str(timestamp).encode()))
            timestamp = None
        elif error.cause is Cause.TOO_LARGE and value is not None:
            own.append(("value_bytes", str(len(value)).encode()))
            value = None
        elif error.cause is Cause.TOO_LARGE and (key is not None or more):
            own[-1] = ("error", own[-1][1][:ERROR_MAX_BYTES])
            key, more = None, ()
        elif error.cause is Cause.REFUSED and key is None:
            key = b"/".join(place for _, place in own[:3])
        else:
            raise RefusedError(f"{self.topic} takes no dead letters: {error}")
        again: Result = (Envelope(key, timestamp, [*own, *more]), value)
        await self._letters.settling.send(Results(self, [again], source, rekeyed=True))

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
