"""Files of records that are no lines, read as JSON."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
from decimal import Decimal
from pathlib import Path

import fastavro
import msgpack
import pytest

from streamapp.errors import ProduceError, StreamappError
from streamapp.formats import Protobuf
from streamapp.produce.containers import read_records

RECORDS = [{"id": f"o{number}", "n": number} for number in range(3)]
PROTO = 'syntax = "proto3";\nmessage Order { string id = 1; int64 n = 2; }\n'


def read(path: Path, proto: str = "") -> list[object]:
    return [json.loads(line) for line in read_records(path, proto)]


@pytest.fixture
def proto(tmp_path: Path) -> str:
    (tmp_path / "order.proto").write_text(PROTO)
    return str(tmp_path / "order.proto")


def delimited(proto: str) -> bytes:
    message = Protobuf(proto)
    encoded = [message.from_json(json.dumps({**one, "id": str(one["id"]) * 100}).encode()) for one in RECORDS]
    lengths = [bytes([len(one) & 0x7F | 0x80, len(one) >> 7]) for one in encoded]
    return b"".join(length + one for length, one in zip(lengths, encoded, strict=True))


def container(codec: str = "null") -> bytes:
    fields = [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "sum", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    ]
    out, at = io.BytesIO(), dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    records = [{"id": "o1", "at": at, "sum": Decimal("12.50")}]
    fastavro.writer(out, fastavro.parse_schema({"type": "record", "name": "Order", "fields": fields}), records, codec)
    return out.getvalue()


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_a_container_of_avro_is_known_by_how_it_begins(tmp_path: Path, codec: str) -> None:
    (tmp_path / "orders").write_bytes(container(codec))
    assert read(tmp_path / "orders") == [{"id": "o1", "at": "2026-01-31T12:00:00Z", "sum": 12.5}]


def test_a_container_may_be_compressed_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "orders.avro.gz").write_bytes(gzip.compress(container()))
    assert len(read(tmp_path / "orders.avro.gz")) == 1


def test_messagepack_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "orders.msgpack").write_bytes(b"".join(map(msgpack.packb, RECORDS)))
    assert read(tmp_path / "orders.msgpack") == RECORDS


def test_protobuf_each_after_its_length(tmp_path: Path, proto: str) -> None:
    (tmp_path / "orders.pb").write_bytes(delimited(proto))
    assert read(tmp_path / "orders.pb", proto) == [{"id": str(one["id"]) * 100, "n": one["n"]} for one in RECORDS]


def test_lines_are_read_as_ever(tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").write_text('{"id":"o1"}\n{"id":"o2"}\n')
    assert read(tmp_path / "orders.jsonl") == [{"id": "o1"}, {"id": "o2"}]


@pytest.mark.parametrize("cut", [1, 3])
def test_messagepack_that_is_cut_off_is_told_with_its_place(tmp_path: Path, cut: int) -> None:
    (tmp_path / "orders.mp").write_bytes(b"".join(map(msgpack.packb, RECORDS))[:-cut])
    with pytest.raises(ProduceError, match=r"orders.mp:3: it is cut off"):
        read(tmp_path / "orders.mp")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (lambda data: data[:-1], "orders.pb:3: it is cut off"),
        (lambda data: data + b"\xff\xff\xff\xff\xff", "orders.pb:4: there is no length of a message before it"),
        (lambda data: data + b"\x80", "orders.pb:4: there is no length of a message before it"),
        (lambda data: data + b"\x02\xff\xff", "orders.pb:4: it is no message Order"),
    ],
)
def test_protobuf_that_is_damaged_is_told_with_its_place(tmp_path: Path, proto: str, data, error: str) -> None:
    (tmp_path / "orders.pb").write_bytes(data(delimited(proto)))
    with pytest.raises(ProduceError, match=error):
        read(tmp_path / "orders.pb", proto)


def test_protobuf_needs_to_be_told_its_message(tmp_path: Path) -> None:
    (tmp_path / "orders.pb").write_bytes(b"")
    with pytest.raises(StreamappError, match="--proto"):
        read(tmp_path / "orders.pb")


def test_a_damaged_container_is_one_line(tmp_path: Path) -> None:
    damaged = container("deflate")[:-30]
    (tmp_path / "orders.avro").write_bytes(damaged)
    with pytest.raises(ProduceError, match=r"cannot read .*orders.avro: it is a damaged Avro file"):
        read(tmp_path / "orders.avro")
