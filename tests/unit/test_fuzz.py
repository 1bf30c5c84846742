"""Whatever bytes come as a record, it is either used or a dead letter, and never more than that."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, cast

import msgspec
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from faust.types import TP
from fuzz_target import DECODERS, HEAD, check, record_batch_of
from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Reason, Row
from streamapp.pipelines.clicks.results import joined, unmatched
from streamapp.runtime.batch import Batch
from streamapp.runtime.output import _envelope
from streamapp.runtime.work import Rejected

#: aiokafka's numbers of the codecs: none, gzip, snappy, lz4, zstd.
CODECS = range(5)


@dataclasses.dataclass(frozen=True)
class Sent:
    """A record as a producer makes it."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: list[tuple[str, bytes | None]]


TEXT = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
#: Values that are nearly right: the fields there are, with other values, and others.
FIELDS = st.sampled_from(["click_id", "user_id", "url", "timestamp", "name", "country", "plan", "more"])
NEARLY = st.dictionaries(FIELDS, JSON | st.just("u"), max_size=8)
RIGHT = st.fixed_dictionaries(
    {"click_id": TEXT, "user_id": st.sampled_from(["u", "ü", "\x00", "日本"]), "url": TEXT, "name": TEXT},
    optional={"timestamp": st.none() | st.integers(), "country": st.none() | TEXT, "more": JSON},
)


def written(value: Any, escaped: bool) -> bytes:
    return json.dumps(value, ensure_ascii=escaped).encode(errors="surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Good JSON with a few of its bytes changed."""
    data = bytearray(written(draw(RIGHT), draw(st.booleans())))
    for at in draw(st.lists(st.integers(0, len(data) - 1), max_size=3)):
        data[at] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


VALUES = (
    st.none()
    | st.binary(max_size=60)
    | st.builds(written, JSON | NEARLY | RIGHT, st.booleans())
    | damaged()
    | st.sampled_from([b"[" * 20_000, b'{"more":' * 20_000, b'{"user_id":"\\ud800"}', b"\xef\xbb\xbf{}"])
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["content-type", "topic", "error", ""]) | st.text(st.characters(codec="utf-8"), max_size=8),
        st.none() | st.binary(max_size=20) | st.sampled_from([b"application/json", b"json; charset=x", b";", b""]),
    ),
    max_size=3,
)
KEYS = st.none() | st.sampled_from(["u", "ü", "\x00", "日本"]).map(str.encode) | st.binary(max_size=10)
RECORDS = st.lists(
    st.builds(Sent, KEYS, VALUES, st.integers(0, 2**50), HEADERS),
    min_size=1,
    max_size=8,
)


def received(records: list[Sent], codec: int) -> list[Any]:
    """Give records as aiokafka reads them from what a producer has sent."""
    batch = MemoryRecords(built(records, codec)).next_batch()
    assert batch is not None
    return list(batch)


def built(records: list[Sent], codec: int) -> bytes:
    """Give the record batch that a producer makes of records."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 30,
    )
    for number, one in enumerate(records):
        builder.append(number, one.timestamp, one.key, one.value, one.headers)
    return bytes(builder.build())


@pytest.mark.parametrize("topic", DECODERS)
@given(records=RECORDS, codec=st.sampled_from(CODECS))
def test_every_record_is_used_or_a_dead_letter_that_can_be_sent(topic: str, records: list[Sent], codec: int) -> None:
    batch = Batch(TP(topic, 0), received(records, codec))
    good, bad = DECODERS[topic].split(batch)
    assert sorted(record.offset for record in [*good, *(one.record for one in bad)]) == list(range(len(records)))
    for one in bad:
        sent, (letter,) = records[one.record.offset], received([dead_letter(one)], 0)
        assert (letter.key, letter.value, letter.timestamp) == (sent.key, sent.value, sent.timestamp)
        assert letter.headers[3] == ("reason", one.reason.encode())
        assert letter.headers[5:] == sent.headers
    for record in good:
        check_results(record.value)


@st.composite
def damaged_batches(draw: st.DrawFn) -> bytes:
    """What is in a record batch, after its checksum, with a few of its bytes changed."""
    data = bytearray(built(draw(RECORDS), draw(st.sampled_from(CODECS)))[HEAD.size :])
    for at in draw(st.lists(st.integers(0, len(data) - 1), max_size=5)):
        data[at] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@given(data=damaged_batches())
def test_a_record_batch_is_read_or_told_whatever_is_in_it(data: bytes) -> None:
    check(record_batch_of(data))


@given(data=st.binary(max_size=200))
def test_what_was_fetched_is_read_or_told_whatever_it_is(data: bytes) -> None:
    check(data)


def dead_letter(one: Rejected) -> Sent:
    letter = _envelope(one)
    return Sent(letter.key, one.record.value, letter.timestamp or 0, list(letter.headers))


def check_results(value: bytes | None) -> None:
    """Results are spliced from the bytes of good values: they must be JSON too."""
    if value is None:
        return
    sent, click = msgspec.json.decode(value), cast("Any", Sent(b"k", value, 0, []))
    ((_, joint),) = joined([(click, Row(value, 0))], 1.5)
    assert joint is not None
    result = msgspec.json.decode(joint)
    assert (result["click"], result["profile"]) == (sent, sent)
    assert msgspec.json.decode(unmatched(value, Reason.EXPIRED))["click"] == sent
