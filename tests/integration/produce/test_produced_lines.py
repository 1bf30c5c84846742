"""Lines of a file or a pipe in a real Kafka, byte for byte."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

from confluent_kafka import TIMESTAMP_CREATE_TIME
from produced import PARTITIONS, Topics, interrupt_when, produce

from streamapp.produce.delivery import Options, Report, produce_lines
from streamapp.produce.lines import JsonLines
from streamapp.settings import Settings


def send(settings: Settings, topic: str, text: bytes, tmp_path: Path, **how: Any) -> Report:
    path = tmp_path / "input.jsonl"
    path.write_bytes(text)
    with path.open("rb") as file:
        return produce_lines(settings, topic, file, JsonLines(**how), Options())


class TestLines:
    def test_each_line_is_a_record(self, settings: Settings, topic: str, topics: Topics, tmp_path: Path) -> None:
        text = b'{"id":"u1", "at":1763000000}\n\n{"at":"2025-11-13T02:13:21Z","id":2}'

        assert send(settings, topic, text, tmp_path, key="id", timestamp="at").error == ""
        assert Counter((record.key(), record.value(), record.timestamp()) for record in topics.records(topic)) == {
            (b"u1", b'{"id":"u1", "at":1763000000}', (TIMESTAMP_CREATE_TIME, 1_763_000_000_000)): 1,
            (b"2", b'{"at":"2025-11-13T02:13:21Z","id":2}', (TIMESTAMP_CREATE_TIME, 1_763_000_001_000)): 1,
        }

    def test_without_a_timestamp_the_event_time_is_now(
        self, settings: Settings, topic: str, topics: Topics, tmp_path: Path
    ) -> None:
        before = time.time_ns() // 1_000_000
        send(settings, topic, b"{}\n", tmp_path)

        (record,) = topics.records(topic)
        assert before <= record.timestamp()[1] <= time.time_ns() // 1_000_000

    def test_a_bad_line_ends_it_after_the_lines_before_it(self, settings: Settings, topic: str, topics: Topics) -> None:
        done = produce(settings, topic, "--key", "id", given=b'{"id":1}\n{"id":2}\n{"di":3}\n{"id":4}\n')

        assert done.returncode == 1
        assert done.stdout.startswith(b"sent 2, acknowledged 2, failed 0 in ")
        assert done.stderr.decode().splitlines() == [
            "streamapp produce: <stdin>:3: there is no field id (--raw sends lines as they are)"
        ]
        assert sorted(record.key() or b"" for record in topics.records(topic)) == [b"1", b"2"]

    def test_the_first_moment_of_1970_is_1_ms_later_and_that_is_told(
        self, settings: Settings, topic: str, topics: Topics, tmp_path: Path
    ) -> None:
        report = send(settings, topic, b'{"at":0}\n', tmp_path, timestamp="at")

        (record,) = topics.records(topic)
        assert record.timestamp()[1] == 1
        assert "the event time of 1 records is 0" in report.note

    def test_a_compressed_file_is_sent_in_lines_of_utf_8(
        self, settings: Settings, topic: str, topics: Topics, tmp_path: Path
    ) -> None:
        text = gzip.compress('{"id":"é","meta":{"at":1763000000123456}}\r\n'.encode("utf-16"))
        assert send(settings, topic, text, tmp_path, key="id", timestamp="meta.at").error == ""
        (record,) = topics.records(topic)
        assert (record.key(), record.timestamp()[1]) == ("é".encode(), 1_763_000_000_123)
        assert record.value() == '{"id":"é","meta":{"at":1763000000123456}}'.encode()

    def test_raw_sends_bad_lines_too(self, settings: Settings, topic: str, topics: Topics, tmp_path: Path) -> None:
        assert send(settings, topic, b"nope\n\n\xff", tmp_path, raw=True).error == ""
        assert sorted(record.value() or b"" for record in topics.records(topic)) == [b"", b"nope", b"\xff"]

    def test_a_topic_that_does_not_exist_is_named_with_the_remedy(self, settings: Settings) -> None:
        done = produce(settings, "missing", given=b"{}")

        (line,) = done.stderr.decode().splitlines()
        assert done.returncode == 1
        assert line.startswith(f"streamapp produce: there is no topic missing at {settings.broker}: ")
        assert "--create" in line

    def test_a_topic_can_be_created(self, settings: Settings, topics: Topics, tmp_path: Path) -> None:
        name = settings.topic("new")
        file = tmp_path / "input.jsonl"
        file.write_bytes(b"{}")

        assert produce(settings, name, "--file", str(file), "--create").returncode == 0
        assert (topics.partitions(name), topics.size(name)) == (PARTITIONS, 1)

    def test_the_report_can_be_json(self, settings: Settings, topic: str) -> None:
        report = json.loads(produce(settings, topic, "--json", given=b"{}\n{}\n").stdout)

        assert (report["sent"], report["acknowledged"], report["failed"]) == (2, 2, 0)

    def test_ctrl_c_ends_a_wait_for_input(self, settings: Settings, topic: str, topics: Topics) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb", buffering=0) as pipe, os.fdopen(reader, "rb") as file:
            pipe.write(b"{}\n{}\n{}\n")
            thread = interrupt_when(lambda: topics.size(topic) == 3)
            report = produce_lines(settings, topic, file, JsonLines(), Options())
            thread.join()

        assert (report.sent, report.acknowledged, report.error) == (3, 3, "")
