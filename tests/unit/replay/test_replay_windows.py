"""``streamapp replay`` with windows over a file of JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from click.testing import CliRunner

from streamapp.cli.replay import replay
from streamapp.formats import Avro, MessagePack, Protobuf
from streamapp.replay.errors import ReplayError
from streamapp.replay.window_spec import read_window_spec

SPEC = """
kind = "tumbling"
size = "1m"
grace = "10s"
key = "ip"
timestamp = "at"
unit = "ms"
[aggregates]
n = "count"
total = "sum amount"
"""
SCHEMA = {
    "type": "record",
    "name": "Tx",
    "fields": [{"name": name, "type": kind} for name, kind in (("ip", "string"), ("at", "long"), ("amount", "int"))],
}
PROTO = 'syntax = "proto3"; message Tx { string ip = 1; int64 at = 2; int32 amount = 3; }'
LINES = [
    {"ip": "a", "at": 61_000, "amount": 3},
    {"ip": "a", "at": 62_000},
    {"ip": "b", "at": 130_000, "amount": 1},
    {"ip": "a", "at": 63_000, "amount": 4},
]


def run(directory: Path, spec: str, lines: list[dict[str, Any]], *options: str) -> list[Any]:
    (directory / "minutes.toml").write_text(spec)
    (directory / "tx.jsonl").write_text("\n".join(map(json.dumps, lines)))
    given = ["--window", str(directory / "minutes.toml"), "--input", str(directory / "tx.jsonl"), *options]
    done = CliRunner().invoke(replay, given, catch_exceptions=False)
    assert done.exit_code == 0
    return [json.loads(line) for line in done.output.splitlines()]


def test_results_and_what_does_not_count_are_printed_and_then_the_balance(tmp_path: Path) -> None:
    result, refused, late, last, balance = run(tmp_path, SPEC, LINES)
    assert result == {
        "key": "a",
        "start": 60_000,
        "end": 120_000,
        "values": {"n": 1, "total": 3},
        "ts": 61_000,
        "final": True,
    }
    assert (refused["reason"], refused["detail"]) == ("refused", "the value has no field amount; it has ip, at")
    assert (late["reason"], late["late_by_ms"], late["value"]) == ("late", 57_000, LINES[3])
    assert last["key"] == "b"
    assert balance["balance"] | {"received": 4, "matched": 2, "late": 1, "rejected": 1} == balance["balance"]


def test_files_of_other_formats_are_put_into_windows_as_json_lines_are(tmp_path: Path) -> None:
    lines = [json.dumps({"amount": 0, **one}).encode() for one in LINES]
    avro = Avro(SCHEMA)
    with (tmp_path / "tx.avro").open("wb") as file:
        fastavro.writer(file, avro.parsed, [avro.decode(avro.from_json(line)) for line in lines])
    (tmp_path / "tx.msgpack").write_bytes(b"".join(map(MessagePack().from_json, lines)))
    (tmp_path / "tx.proto").write_text(PROTO)
    messages = [Protobuf(tmp_path / "tx.proto").from_json(line) for line in lines]
    (tmp_path / "tx.pb").write_bytes(b"".join(bytes([len(one)]) + one for one in messages))
    (tmp_path / "tx.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "minutes.toml").write_text(SPEC)
    told = []
    for file_name, *options in (
        ["tx.jsonl"],
        ["tx.avro"],
        ["tx.msgpack"],
        ["tx.pb", "--proto", f"{tmp_path}/tx.proto"],
    ):
        given = ["--window", str(tmp_path / "minutes.toml"), "--input", str(tmp_path / file_name), *options]
        done = CliRunner().invoke(replay, given, catch_exceptions=False)
        assert done.exit_code == 0
        told.append([json.loads(line) for line in done.output.splitlines()])
    assert told[0][0]["values"] == {"n": 2, "total": 3}
    assert told == [told[0]] * 4


def test_by_event_time_nothing_is_late(tmp_path: Path) -> None:
    result, *_ = run(tmp_path, SPEC, LINES, "--order", "event-time")
    assert result["values"] == {"n": 2, "total": 7}


def test_a_session_whose_bounds_change_is_taken_back(tmp_path: Path) -> None:
    spec = SPEC.replace('"tumbling"', '"session"').replace('size = "1m"', 'gap = "5s"\nemission = "updates"')
    printed = run(tmp_path, spec, [LINES[0], LINES[3]])
    assert [(one["start"], one["end"], one["values"]) for one in printed[:-1]] == [
        (61_000, 61_000, {"n": 1, "total": 3}),
        (61_000, 61_000, None),
        (61_000, 63_000, {"n": 2, "total": 7}),
    ]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("hopping", 'size = "1m"\nadvance = "20s"\noffset = "5s"'),
        ("look-back", 'size = "1m"'),
        ("tumbling", 'size = "1d"\nzone = "Europe/Berlin"\nemission = "both"\nevery = "1h"'),
    ],
)
def test_all_kinds_of_windows_can_be_described(kind: str, settings: str) -> None:
    spec = SPEC.replace('"tumbling"', f'"{kind}"').replace('size = "1m"', settings)
    assert read_window_spec(spec.encode(), "w.toml").join.grace == 10_000


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"tumbling"', '"tumble"', "kind must be one of tumbling, hopping, session, look-back, not 'tumble'"),
        ('size = "1m"', "", "tumbling windows need size"),
        ('size = "1m"', 'size = "1m"\ngap = "1m"', "gap"),
        ('size = "1m"', 'size = "0s"', "must be more than 0"),
        ('size = "1m"', 'size = "1m"\noffset = "2m"', "an offset of 120000 ms"),
        ('"10s"', '"10 parsecs"', "is no duration"),
        ('"sum amount"', '"sume amount"', "total = 'sume amount': write count, or what and of which field"),
        ('"sum amount"', '"sum"', "total = 'sum': write count, or what and of which field"),
        ('key = "ip"', "", "key"),
        ('n = "count"\ntotal = "sum amount"', "", "at least one aggregate"),
        ("[aggregates]", "[aggregates", "w.toml"),
    ],
)
def test_windows_that_cannot_be_used_are_told_in_one_line(old: str, new: str, words: str) -> None:
    with pytest.raises(ReplayError, match=r"^w\.toml: ") as error:
        read_window_spec(SPEC.replace(old, new).encode(), "w.toml")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [["--window", "w.toml"], ["--window", "w.toml", "--left", "l.jsonl"], []])
def test_what_does_not_go_together_is_told(given: list[str]) -> None:
    done = CliRunner().invoke(replay, given)
    assert done.exit_code == 2
    assert "give either CASES, or --join, --left and --right, or --window and --input" in done.output
