"""``streamapp window`` counts and sums the records of a topic without a line of code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from topics import Topics
from windowed import accounts
from worker import Worker, wait_until

from streamapp.formats import Avro, Protobuf


def words(line: str) -> list[str]:
    return line.split()


TX = '{"type": "record", "name": "Tx", "fields": [{"name": "amount", "type": "double"}]}'
SUM = """syntax = "proto3";
message Sum { string key = 1; int64 start = 2; int64 end = 3; int64 count = 4; double sum_amount = 5; }
"""
WINDOW = words("window --topic tx --by ip --size 1m --grace 10s --count --sum amount --to ip_minutes")
CLICK = Path(__file__).parents[2] / "streamapp" / "pipelines" / "clicks" / "schemas" / "click.avsc"
#: A whole minute, an hour ago.
START = (int(time.time()) // 60 - 60) * 60_000


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "command", partitions=2)
    topics.create("tx")
    topics.now = START
    return topics


def send(topics: Topics, ip: object, amount: object, at: int) -> None:
    topics.send("tx", "account", {"ip": ip, "amount": amount}, at=at)


def results(topics: Topics) -> list[dict[str, object]]:
    return [json.loads(message.value()) for message in topics.read("ip_minutes")]


def test_records_are_counted_by_a_field_and_minute(topics: Topics, tmp_path: Path) -> None:
    for at, amount in ((0, 5), (59_999, 7), (60_000, 1), (5_000, 3)):
        send(topics, "10.0.0.1", amount, at)
    send(topics, "10.0.0.1", 1, at=200_000)
    send(topics, "10.0.0.1", 100, at=0)  # late
    send(topics, None, 1, at=200_000)
    send(topics, "10.0.0.1", "much", at=200_000)
    topics.flush()
    with Worker(tmp_path, command=[*WINDOW, *words("--late late --rejected refused")], **topics.settings) as worker:
        wait_until(lambda: topics.end("ip_minutes") == 2, "two minutes are over")
        wait_until(lambda: topics.end("late") == 1, "the late one is told")
        wait_until(lambda: topics.end("refused") == 2, "those without an address, or a number, are told")
        assert +accounts(worker, "ip_minutes") == {"received": 8, "matched": 4, "pending": 1, "late": 1, "rejected": 2}
    assert results(topics) == [
        {"key": "10.0.0.1", "start": START, "end": START + 60_000, "count": 3, "sum_amount": 15},
        {"key": "10.0.0.1", "start": START + 60_000, "end": START + 120_000, "count": 1, "sum_amount": 1},
    ]


def test_records_of_avro_whose_keys_are_numbers_are_summed_up_into_protobuf(topics: Topics, tmp_path: Path) -> None:
    (tmp_path / "tx.avsc").write_text(TX)
    (tmp_path / "sum.proto").write_text(SUM)
    tx, account = Avro(tmp_path / "tx.avsc"), Avro("long")
    for at, amount in ((0, 5), (59_999, 7), (60_000, 1)):
        topics.send("tx", account.from_json(b"7"), tx.from_json(json.dumps({"amount": amount}).encode()), at=at)
    topics.flush()
    command = [
        *words("window --topic tx --size 1m --count --sum amount --to account_minutes --late late --key-format avro"),
        *("--key-schema", "long", "--schema", str(tmp_path / "tx.avsc"), "--to-schema", str(tmp_path / "sum.proto")),
    ]
    with Worker(tmp_path, command=command, **topics.settings) as worker:
        wait_until(lambda: topics.end("account_minutes") == 1, "a minute is over")
        (open_window,) = worker.get("/table/account_minutes/7/").json()
        (record, *_) = topics.read("tx")
        see = worker.get(f"/joins/account_minutes/tx/?key=7&time={START}").json()["see"]
        (answer,) = worker.get(see).json()
    (result,) = topics.read("account_minutes")
    assert (result.key(), result.partition()) == (record.key(), record.partition())
    value = json.loads(Protobuf(tmp_path / "sum.proto").to_json(result.value()))
    assert value == {"key": "7", "start": START, "end": START + 60_000, "count": 2, "sum_amount": 12}
    assert (open_window["start"], open_window["sum_amount"]) == (START + 60_000, 1)
    assert (answer["verdict"], answer["record"]["key"]) == ("matched", "7")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--by ipp --count", "the value has no field ipp; is ip meant?"),
        ("--by ip --sum amuont", "amount"),
    ],
)
def test_a_misspelt_field_is_told_within_seconds_with_the_one_that_is_meant(
    topics: Topics, tmp_path: Path, options: str, told: str
) -> None:
    for number in range(120):
        send(topics, "10.0.0.1", number, at=number)
    topics.flush()
    command = words(f"window --topic tx --size 1m --to ip_minutes {options}")
    with Worker(tmp_path, command=command, **topics.settings) as worker:
        wait_until(lambda: "120 of 120 records of" in worker.log, "it is told")
        (line,) = (line for line in worker.log.splitlines() if "120 of 120 records of" in line)
        assert worker.answers("/health/ready", 503) is not None
    assert "missing_field 120" in line
    assert told in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--to tx", "--to tx is what --topic reads: the window would get what it sends, without end"),
        ("--session 5m", "which windows? Give --size (and --advance, if they overlap), --session, --last or --each"),
        ("--advance 2m", "windows of 1m cannot advance by 2m"),
        ("--grace soon", "'soon' is no duration"),
        ("--sum=", "--sum '' is no name of a field"),
        ("--every 1s", "emission must be updates or both"),
        ("--late ip_minutes", "--late ip_minutes is where the results go (--to)"),
        (f"--format avro --schema {CLICK}", "avro needs a schema: --to-schema names its file"),
        ("--key-format avro", "avro needs a schema: --key-schema names its file"),
    ],
)
def test_windows_that_cannot_be_are_refused_in_one_line(options: str, message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamapp", *WINDOW, *words(options)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
