"""What the broker refuses, as an error."""

from __future__ import annotations

import copy

from aiokafka.errors import InvalidTimestampError, MessageSizeTooLargeError

from streamapp.kafka.refusals import RecordRefusedError, refused_record


def test_each_record_of_a_refused_batch_gets_a_copy_of_the_error() -> None:
    error = refused_record(InvalidTimestampError.errno, "too old", {1: "older than the topic keeps"})
    assert error is not None
    copied = copy.copy(error)
    assert isinstance(copied, RecordRefusedError)
    assert (str(copied), copied.cause, str(copied.of(1))) == (str(error), error.cause, str(error.of(1)))


def test_a_copy_says_what_helps_where_the_broker_says_no_more_than_the_error() -> None:
    error = refused_record(MessageSizeTooLargeError.errno)
    assert str(copy.copy(error)) == str(error)
    assert "max.message.bytes" in str(error)
