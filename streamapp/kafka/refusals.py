"""Refusals: what the broker says no to, told apart by what helps.

- A **record**: its size, its timestamp, no key on a compacted topic. All others of its record batch can be sent, and it
  is found and goes to the dead letters.
- **Standing**: a topic that is gone, a permission that is missing. It helps to mend that, and nothing else; what is
  sent meanwhile is refused too.
- All others **pass**: a leader that moves, replicas that are missing, a worker that was put out of the group.

Error codes as in Kafka 4.3 (`clients/…/common/protocol/Errors.java`); aiokafka 0.14 knows those up to 79.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from aiokafka import errors
from aiokafka.errors import BrokerResponseError, KafkaError

from streamapp.errors import StreamappError

__all__ = ["Cause", "RecordRefusedError", "RefusedError", "name_of", "refused_record", "standing", "text_of"]


class Cause(enum.StrEnum):
    """Why the broker refuses a record."""

    TOO_LARGE = "too_large"
    INVALID_TIMESTAMP = "invalid_timestamp"
    #: For what else: no key on a compacted topic, a check of the broker's own.
    REFUSED = "refused"


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]
    """The error that aiokafka does not know, for instance of a record without a key on a compacted topic."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The record has failed the validation on the broker and hence was rejected."


#: Brokers before Kafka 2.4 say CORRUPT_MESSAGE where newer ones say INVALID_RECORD.
RECORD: Final[Mapping[int, tuple[type[BrokerResponseError], Cause]]] = {
    error.errno: (error, cause)
    for error, cause in (
        (errors.CorruptRecordException, Cause.REFUSED),
        (errors.MessageSizeTooLargeError, Cause.TOO_LARGE),
        (errors.RecordListTooLargeError, Cause.TOO_LARGE),
        (errors.InvalidTimestampError, Cause.INVALID_TIMESTAMP),
        (InvalidRecordError, Cause.REFUSED),
    )
}
#: Said where the broker says no more than the error.
WORDS: Final[Mapping[Cause, str]] = {Cause.TOO_LARGE: "it is larger than the topic's max.message.bytes"}
#: What helps, by error; {0} is the topic, the consumer group or the transactional id.
HELP: Final[Mapping[type[KafkaError], str]] = {
    errors.UnknownTopicOrPartitionError: (
        "{0} is not there any more, or not all of its partitions: make it anew with as many as the input topics have"
    ),
    errors.InvalidTopicError: "the broker takes {0} for no name of a topic",
    errors.TopicAuthorizationFailedError: (
        "the broker does not allow this worker to use the topic {0}: grant it READ, WRITE and DESCRIBE there"
    ),
    errors.GroupAuthorizationFailedError: (
        "the broker does not allow this worker to use the consumer group {0}: grant it READ there"
    ),
    errors.TransactionalIdAuthorizationFailed: (
        "the broker does not allow this worker to use transactional ids that begin with {0}: grant it WRITE and "
        "DESCRIBE there, or set STREAMAPP_PROCESSING_GUARANTEE=at_least_once"
    ),
    errors.ClusterAuthorizationFailedError: (
        "the broker does not allow this worker to write at all: grant it IDEMPOTENT_WRITE on the cluster"
    ),
    errors.InvalidRequiredAcksError: "the broker refuses what goes to {0}, which asks all replicas to have it",
    errors.PolicyViolationError: "a policy of the broker forbids what goes to {0}",
    errors.UnsupportedForMessageFormatError: "{0} has an old message.format.version, which has no headers",
    errors.UnsupportedVersionError: "the broker is too old for what goes to {0}",
}


class RefusedError(StreamappError):
    """What the broker refuses however often it is asked: the worker stops. Its text is a line that says what helps."""


class RecordRefusedError(KafkaError):  # type: ignore[misc]
    """A record batch that the broker refuses for records in it.

    Args:
        error: the error, as aiokafka has it.
        cause: what is wrong with the records.
        word: what the broker says.
        records: by number in the record batch, what it says of each one at fault; none = it does not say which.
    """

    def __init__(
        self, error: type[BrokerResponseError], cause: Cause, word: str = "", records: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(word or WORDS.get(cause) or error.description)
        self.error = error
        self.cause = cause
        self.records = records or {}

    def of(self, number: int) -> RecordRefusedError:
        """Return what is said of one record of the batch."""
        return RecordRefusedError(self.error, self.cause, self.records.get(number) or str(self))

    def __str__(self) -> str:
        return f"{self.error.message}: {self.args[0]}"

    def __reduce__(self) -> tuple[object, ...]:
        """Say how it is copied: aiokafka gives each record of a batch a copy of its error."""
        return RecordRefusedError, (self.error, self.cause, self.args[0], self.records)


def refused_record(code: int, word: str = "", records: Mapping[int, str] | None = None) -> RecordRefusedError | None:
    """Return the error for an error code of a produced record batch, if it is about records in it."""
    known = RECORD.get(code)
    return None if known is None else RecordRefusedError(*known, word, records)


def standing(error: type[BaseException]) -> bool:
    """Return whether an error is of those that last until somebody mends what they name."""
    return error in HELP


def name_of(error: BaseException, group: str) -> str:
    """Return the name of what an error of aiokafka (0.14) is about: the topics in it, or the consumer group."""
    (about,) = error.args[:1] or (group,)
    if type(error) is not errors.TopicAuthorizationFailedError and not isinstance(about, set):
        about = group
    return about if isinstance(about, str) else ", ".join(sorted(map(str, about)))


def text_of(error: BaseException, name: str) -> str:
    """Return one line that says what is refused and what helps.

    Args:
        error: a standing one.
        name: of the topic, the consumer group or the transactional id.
    """
    message = getattr(error, "message", type(error).__name__)
    return f"{HELP[type(error)].format(name)} ({message})"
