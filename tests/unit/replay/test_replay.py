"""``streamapp replay``: joins over files."""

from __future__ import annotations

import gzip
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import fastavro
import msgspec
import pytest

from streamapp.formats import Protobuf
from streamapp.replay.case_files import read_cases
from streamapp.replay.cases import Case
from streamapp.replay.errors import ReplayError
from streamapp.replay.files import Accounts, Order, Result, Unjoined, replay_files
from streamapp.replay.spec import read_spec

SPEC = """
kind = "stream-stream"
how = "left"
before = "10s"
after = 0
grace = "1s"
[left]
key = "user"
timestamp = "at"
[right]
key = "id"
timestamp = "ts"
value = "payload"
"""
LEFT = [
    b'{"user":"u1","at":1700000010000}',
    b"",
    b'{"user":"u2","at":1700000030000}',
    b'{"user":"u1","at":1700000011000}',
]
ALL_CASES = Path(__file__).parents[2] / "conformance" / "join_cases.json"
RIGHT = [b'{"id":"u1","ts":1700000001000,"payload":{"page":1}}', b'{"id":"u2","ts":1700000031000,"payload":null}']


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "streamapp", "replay", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def cases(**fields: Any) -> bytes:
    case = {"id": "c", "family": "stream-stream", "joins": ["right"], "steps": [], **fields}
    return json.dumps({"cases": [case]}).encode()


def window_case(**fields: Any) -> bytes:
    described = {
        "family": "tumbling",
        "aggregate": "count",
        "emission": "final",
        "window": {"size_ms": 10, "grace_ms": 0},
    }
    return json.dumps({"cases": [{"id": "w", "steps": [], **described, **fields}]}).encode()


def step(*inputs: tuple[str, Any, Any, Any]) -> dict[str, Any]:
    return {"inputs": [dict(zip(("side", "key", "value", "ts"), given, strict=True)) for given in inputs]}


def run(text: bytes) -> list[Any]:
    (case,) = read_cases(text, "cases.json")
    assert isinstance(case, Case)
    return [[(r.key, r.value, r.ts) for r in output.results] + [output.late, output.dropped] for output in case.run()]


def test_a_step_of_windows_tells_results_and_what_was_late_partly_late_or_ignored() -> None:
    inputs = [("a", 1, 12), ("b", "two", 31), ("a", 3, 22), (None, 4, 99), ("a", None, 99), ("a", 5, 9), ("a", 6, 41)]
    steps = [{"input": {"key": key, "value": value, "ts": time}} for key, value, time in inputs]
    window = {"size_ms": 20, "advance_ms": 10, "grace_ms": 0}
    (case,) = read_cases(window_case(family="hopping", aggregate="collect", window=window, steps=steps), "cases.json")
    told = [msgspec.to_builtins(output) for output in case.run()]
    assert [(one["late"], one["partly_late"], one["ignored"]) for one in told] == [
        (0, 0, 0), (0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1), (1, 0, 0), (0, 0, 0),
    ]  # fmt: skip
    assert [[tuple(result.values()) for result in one["results"]] for one in told if one["results"]] == [
        [("a", 0, 20, [1], 12), ("a", 10, 30, [1], 12)],
        [("a", 20, 40, [3], 22), ("b", 20, 40, ["two"], 31)],
    ]


WINDOW = {"before_ms": 10, "after_ms": 10, "grace_ms": 5}


def test_a_step_may_have_several_inputs_and_tells_what_was_late_or_dropped() -> None:
    steps = [
        step(("right", 1, "r", 100), ("left", 1, "l", 105), ("right", "two", "alone", 100)),
        step(("left", 1, None, 120), ("left", None, "x", 120), ("left", 3, "y", 116), ("left", 1, "late", 110)),
    ]
    assert run(cases(window=WINDOW, steps=steps)) == [[(1, "l-r", 105), 0, 0], [("two", "null-alone", 100), 1, 2]]


def test_a_foreign_key_may_be_a_number_a_text_or_none() -> None:
    steps = [
        step(("right", 7, "seven", 1), ("right", "x", "ix", 2)),
        step(("left", 1, "a|7", 3), ("left", 2, "b|x", 4), ("left", 3, "c|", 5)),
    ]
    results = [(1, "(a|7,seven)", 3), (2, "(b|x,ix)", 4), (3, "(c|,null)", 5), 0, 0]
    assert run(cases(family="fk", joins=["left"], steps=steps)) == [[0, 0], results]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "truncated"),
        (b"[]", "Expected `object`"),
        (cases(family="outer-space"), "outer-space"),
        (cases(), "needs a window"),
        (cases(window=WINDOW, joins=[]), "joins must name one kind"),
        (cases(window=WINDOW | {"before_ms": -11}), "leave no window"),
        (cases(family="stream-table"), "inner or left, not right"),
        (cases(family="stream-table-grace", joins=["inner"]), "needs grace_ms"),
        (cases(family="fk", joins=["inner"], steps=[step(("left", 1, "no key", 1))]), "must be name|foreign key"),
        (cases(window=WINDOW, steps=[step(("middle", 1, "x", 1))]), "middle"),
        (cases(window=WINDOW, steps=[step(("left", 1, "x", "now"))]), "Expected `int`"),
        (cases(window=WINDOW, steps=[step(("left", 1 << 70, "x", 1))]), "key"),
        (cases(window=WINDOW, steps=[step(("left", "\ud800", "x", 1))]), "malformed"),
        (window_case(window={"grace_ms": 0}), "window needs size_ms"),
        (window_case(family="hopping"), "window needs advance_ms"),
        (window_case(family="session"), "window needs gap_ms"),
        (window_case(window={"grace_ms": -1, "size_ms": 10}), "grace must not be negative"),
        (window_case(aggregate="median"), "aggregate must be one of count, sum"),
        (window_case(emission="never"), "never"),
        (window_case(steps=[{"input": {"key": 1, "value": 1}}]), "ts"),
    ],
)
def test_a_malformed_file_of_cases_is_told_in_one_line_that_names_it(text: bytes, words: str) -> None:
    with pytest.raises(ReplayError) as error:
        read_cases(text, "cases.json")
    assert words in str(error.value)
    assert str(error.value).startswith("cases.json: ")
    assert "\n" not in str(error.value)


def replay(order: Order, left: list[bytes] = LEFT, right: list[bytes] = RIGHT, spec: str = SPEC) -> list[Any]:
    return list(replay_files(read_spec(spec.encode(), "join.toml"), order, ("a.jsonl", left), ("b.jsonl", right)))


def test_two_files_are_joined_by_time_and_pending_records_come_at_the_end() -> None:
    joined, late, null_value, unmatched, *rest = replay(Order.ARRIVAL)
    assert isinstance(joined, Result)
    assert (joined.key, bytes(joined.left), bytes(joined.right)) == ("u1", LEFT[0], b'{"page":1}')
    assert joined.ts == 1700000010000
    assert isinstance(late, Unjoined)
    assert (late.reason, late.side, late.late_by_ms) == ("late", "left", 18_000)
    assert (null_value.reason, null_value.side) == ("null_value", "right")
    assert isinstance(unmatched, Result)
    assert (unmatched.key, bytes(unmatched.right)) == ("u2", b"null")
    assert [told.reason for told in rest[:-1]] == ["unmatched"]
    accounts = rest[-1]
    assert isinstance(accounts, Accounts)
    assert (accounts.balance.received, accounts.balance.late, accounts.balance.pending) == (5, 1, 0)
    assert accounts.balance.holds


def test_in_the_order_of_event_time_no_line_is_late() -> None:
    accounts = replay(Order.EVENT_TIME)[-1]
    assert (accounts.balance.matched, accounts.balance.late) == (3, 0)


def test_a_foreign_key_and_a_lookup_are_fields_of_the_left_value() -> None:
    fields = '[left]\nkey = "id"\ntimestamp = "at"\n[right]\nkey = "id"\ntimestamp = "at"\n'
    left = [b'{"id":1,"at":1700000001,"of":7}', b'{"id":2,"at":1700000002}', b'{"id":3,"at":1700000003,"of":[]}']
    right = [b'{"id":7,"at":1700000000}']
    for kind in ('kind = "foreign-key"\nforeign_key = "of"\n', 'kind = "stream-table"\nlookup = "of"\n'):
        results = replay(Order.ARRIVAL, left, right, kind + fields)
        assert [(r.key, bytes(r.left), bytes(r.right)) for r in results if isinstance(r, Result)] == [
            ("1", left[0], right[0])
        ]
        told = [(r.reason, r.key) for r in results if isinstance(r, Unjoined) and r.side == "left"]
        assert told == [("null_key", "2"), ("refused", "3")]


def test_times_of_two_files_may_be_in_different_units_and_in_an_object() -> None:
    spec = 'kind = "stream-stream"\nbefore = "1ms"\nafter = "1ms"\ngrace = 0\n'
    spec += '[left]\nkey = "k"\ntimestamp = "m.at"\n[right]\nkey = "k"\ntimestamp = "at"\nunit = "date"\n'
    left = [b'{"k":"b","m":{"at":1699920000000000999}}', b'{"k":"a","m":{"at":1700000000000000}}']
    found = replay(Order.ARRIVAL, left, [b'{"k":"b","at":20231114}'], spec)
    assert [(one.key, one.ts) for one in found if isinstance(one, Result)] == [("b", 1_699_920_000_000)]


def test_a_file_in_utf_16_and_a_compressed_one_are_joined(tmp_path: Path) -> None:
    (tmp_path / "join.toml").write_bytes(b"\xef\xbb\xbf" + SPEC.encode())
    (tmp_path / "a.jsonl").write_bytes(b"\r\n".join(LEFT).decode().encode("utf-16"))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b"\n".join(RIGHT)))
    names = ("join.toml", "a.jsonl", "b.jsonl.gz")
    given = zip(("--join", "--left", "--right"), (f"{tmp_path / n}" for n in names), strict=True)
    done = command(*itertools.chain.from_iterable(given))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1])["balance"]["received"] == 5


def test_a_file_that_is_none_of_lines_ends_it_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "join.toml").write_text(SPEC)
    (tmp_path / "b.parquet").write_bytes(b"PAR1\x15\x04\x15")
    done = command("--join", tmp_path / "join.toml", "--left", tmp_path, "--right", tmp_path / "b.parquet")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"streamapp replay: cannot read {tmp_path}: Is a directory\n"
    done = command("--join", tmp_path / "join.toml", "--left", tmp_path / "b.parquet", "--right", tmp_path)
    assert done.stderr.endswith("b.parquet: it is a Parquet file; make JSON lines of it\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"user":"u1","at":20231114}', "20231114 may be a date"),
        (b'{"user":"u1","at":NaN}', '{"user":"u1","at":NaN}'),
        (b"user,at", "it looks like CSV"),
        (b"nonsense", "malformed"),
        (b"[]", "Expected `object`"),
        (b'{"user":"u1"}', "there is no field at"),
        (b'{"user":{},"at":1700000000}', "the key, field user"),
        (b'{"user":"u1","at":"soon"}', "the timestamp, field at"),
    ],
)
def test_a_line_that_is_no_record_is_told_with_its_number(line: bytes, words: str) -> None:
    with pytest.raises(ReplayError, match=r"a\.jsonl:3: ") as error:
        replay(Order.ARRIVAL, [LEFT[0], b"", line])
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"stream-stream"', '"stream-dream"', "stream-dream"),
        ('"10s"', '"10 parsecs"', "is no duration"),
        ("after = 0", "after = true", "is no duration"),
        ("after = 0", 'after = "-11s"', "leave no window"),
        ("after = 0", "afterwards = 0", "afterwards"),
        ("after = 0", "", "after"),
        ('how = "left"', 'how = "sideways"', "sideways"),
        ("[left]", "[middle]", "middle"),
        ("[left]", "[left", "join.toml"),
    ],
)
def test_a_spec_that_cannot_be_used_is_told_in_one_line(old: str, new: str, words: str) -> None:
    with pytest.raises(ReplayError, match=r"^join\.toml: ") as error:
        read_spec(SPEC.replace(old, new).encode(), "join.toml")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_the_command_prints_a_line_of_json_a_step(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_bytes(cases(window=WINDOW, steps=[step(("right", 1, "r", 5)), step(("left", 1, "l", 4))]))
    done = command(file)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"case": "c", "step": 0, "results": [], "late": 0, "dropped": 0},
        {"case": "c", "step": 1, "results": [{"key": 1, "value": "l-r", "ts": 5}], "late": 0, "dropped": 0},
    ]


def test_the_command_joins_two_files(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("join.toml", "a.jsonl", "b.jsonl")]
    for file, text in zip(files, (SPEC.encode(), b"\n".join(LEFT), b"\n".join(RIGHT)), strict=True):
        file.write_bytes(text)
    done = command("--join", files[0], "--left", files[1], "--right", files[2])
    assert (done.returncode, done.stderr) == (0, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["left"] == {"user": "u1", "at": 1700000010000}
    assert lines[-1]["balance"]["received"] == 5


def test_the_command_ends_with_1_and_one_line_for_a_file_that_it_cannot_use(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"cases": 3}')
    for file, words in (("bad.json", "Expected `array`"), ("none.json", "No such file")):
        done = command(tmp_path / file)
        assert done.returncode == 1
        assert done.stdout == ""
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_it_ends_quietly_when_the_reader_of_its_output_does() -> None:
    line = [sys.executable, "-m", "streamapp", "replay", f"{ALL_CASES}"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_an_avro_file_is_joined_with_one_of_protobuf(tmp_path: Path) -> None:
    order = {"type": "record", "name": "Order", "fields": [{"name": "user", "type": "string"}, TIME]}
    with (tmp_path / "orders.avro").open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(order), [{"user": "u1", "at": 1_700_000_002_000}])
    (tmp_path / "paid.proto").write_text('syntax = "proto3"; message Paid { string user = 1; int64 at = 2; }')
    paid = Protobuf(tmp_path / "paid.proto").from_json(b'{"user":"u1","at":1700000001000}')
    (tmp_path / "paid.pb").write_bytes(bytes([len(paid)]) + paid)
    (tmp_path / "join.toml").write_text(BY_USER)
    sides: list[str | Path] = [
        "--left",
        tmp_path / "orders.avro",
        "--right",
        tmp_path / "paid.pb",
        "--proto",
        tmp_path / "paid.proto",
    ]
    ran = command("--join", tmp_path / "join.toml", *sides)
    assert (ran.returncode, ran.stderr) == (0, "")
    result = json.loads(ran.stdout.splitlines()[0])
    assert (result["key"], result["right"]) == ("u1", {"user": "u1", "at": 1_700_000_001_000})


TIME = {"name": "at", "type": "long"}
BY_USER = """
kind = "stream-stream"
how = "inner"
before = "10s"
after = 0
grace = "1s"
[left]
key = "user"
timestamp = "at"
[right]
key = "user"
timestamp = "at"
"""


def test_a_message_is_named_only_for_files_of_protobuf(tmp_path: Path) -> None:
    (tmp_path / "join.toml").write_text(BY_USER)
    sides: list[str | Path] = ["--left", tmp_path / "a.jsonl", "--right", tmp_path / "b.jsonl"]
    ran = command("--join", tmp_path / "join.toml", *sides, "--proto", "paid.proto")
    assert ran.returncode == 2
    assert "--proto is for a .pb file" in ran.stderr
