"""Rows are compared with what their changelog takes, as the broker does it."""

from __future__ import annotations

import random

import pytest

from streamapp.joins import Row
from streamapp.kafka.compression import CODECS
from streamapp.runtime.changelog_limits import NO_LIMIT, Limits, RowRefusedError
from streamapp.settings import Compression

SNAPPY = CODECS[Compression.SNAPPY]
NOW, HOUR = 1_700_000_000_000, 3_600_000
NOISE = random.Random(0).randbytes(10_000)
FOR_EVER = str(2**63 - 1)
KAFKA_4 = {
    "max.message.bytes": "1048588",
    "compression.type": "producer",
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": FOR_EVER,
    "message.timestamp.after.max.ms": "3600000",
}


def check(limits: Limits, *rows: Row | None) -> None:
    limits.check("changelog", {b"key-%d" % number: row for number, row in enumerate(rows)}, NOW, SNAPPY)


@pytest.mark.parametrize(
    ("config", "limits"),
    [
        (KAFKA_4, Limits(1_048_588, NO_LIMIT, HOUR)),
        ({**KAFKA_4, "message.timestamp.type": "LogAppendTime"}, Limits(1_048_588)),
        ({**KAFKA_4, "compression.type": "uncompressed"}, Limits(1_048_588, NO_LIMIT, HOUR, compressed=False)),
        ({"max.message.bytes": "9", "message.timestamp.difference.max.ms": "5"}, Limits(9, 5, 5)),
        ({}, Limits()),
    ],
)
def test_the_limits_are_those_of_the_configuration(config: dict[str, str], limits: Limits) -> None:
    assert Limits.of(config) == limits


def test_what_is_within_the_limits_is_taken() -> None:
    check(Limits(len(NOISE), HOUR, HOUR), Row(NOISE[:-200], NOW - HOUR), None, Row(b"", NOW + HOUR))
    check(Limits(), Row(NOISE, 1 << 62))
    check(Limits(100, HOUR, HOUR), None)


def test_a_row_is_as_large_as_the_broker_gets_it() -> None:
    check(Limits(5_000), Row(bytes(10_000), NOW))
    with pytest.raises(RowRefusedError, match=r"takes no row of 10,000 bytes, 10,\d+ as it is sent: at most 5,000"):
        check(Limits(5_000), Row(NOISE, NOW))
    with pytest.raises(RowRefusedError, match="takes no row of 10,000 bytes"):
        check(Limits(5_000, compressed=False), Row(bytes(10_000), NOW))


def test_a_row_too_far_from_the_brokers_clock_is_refused() -> None:
    with pytest.raises(RowRefusedError, match=f"timestamp {NOW + HOUR + 1}: it is more than 3,600,000 ms ahead"):
        check(Limits(NO_LIMIT, NO_LIMIT, HOUR), Row(b"", NOW), Row(b"", NOW + HOUR + 1))
    with pytest.raises(RowRefusedError, match=f"timestamp {NOW - HOUR - 1}: it is more than 3,600,000 ms ago"):
        check(Limits(NO_LIMIT, HOUR, NO_LIMIT), Row(b"", NOW), Row(b"", NOW - HOUR - 1))


def test_of_two_limits_the_stricter_ones_count() -> None:
    assert Limits(5, NO_LIMIT, 7).stricter(Limits(4, 9, 8, compressed=False)) == Limits(4, 9, 7, compressed=False)
