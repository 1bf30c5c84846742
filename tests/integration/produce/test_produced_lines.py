"""Lines of a file or a pipe in a real Kafka, byte for byte."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME
from produced import PARTITIONS, Topics, interrupt_when

from streamapp.produce import FromFile, JsonLines, Options, produce_lines, run
from streamapp.settings import Settings


def lines(topic: str, text: bytes, tmp_path: Path, **how: Any) -> FromFile:
    file = tmp_path / "input.jsonl"
    file.write_bytes(text)
    return FromFile(topic=topic, path=str(file), lines=JsonLines(**how))


class TestLines:
    def test_each_line_is_a_record(self, settings: Settings, topic: str, topics: Topics, tmp_path: Path) -> None:
        text = b'{"id":"u1", "at":1763000000}\n\n{"at":"2025-11-13T02:13:21Z","id":2}'

        assert run(settings, lines(topic, text, tmp_path, key="id", timestamp="at"), Options()) == 0
        assert Counter((record.key(), record.value(), record.timestamp()) for record in topics.records(topic)) == {
            (b"u1", b'{"id":"u1", "at":1763000000}', (TIMESTAMP_CREATE_TIME, 1_763_000_000_000)): 1,
            (b"2", b'{"at":"2025-11-13T02:13:21Z","id":2}', (TIMESTAMP_CREATE_TIME, 1_763_000_001_000)): 1,
        }

    def test_without_a_timestamp_the_event_time_is_now(
        self, settings: Settings, topic: str, topics: Topics, tmp_path: Path
    ) -> None:
        before = time.time_ns() // 1_000_000
        run(settings, lines(topic, b"{}\n", tmp_path), Options())

        (record,) = topics.records(topic)
        assert before <= record.timestamp()[1] <= time.time_ns() // 1_000_000

    def test_a_bad_line_ends_it_after_the_lines_before_it(
        self,
        settings: Settings,
        topic: str,
        topics: Topics,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        text = b'{"id":1}\n{"id":2}\n{"di":3}\n{"id":4}\n'

        assert run(settings, lines(topic, text, tmp_path, key="id"), Options()) == 1
        told = capsys.readouterr()
        assert told.out.startswith("sent 2, acknowledged 2, failed 0 in ")
        assert told.err.splitlines() == [
            f"produce: {tmp_path}/input.jsonl:3: there is no field id (--raw sends lines as they are)"
        ]
        assert sorted(record.key() or b"" for record in topics.records(topic)) == [b"1", b"2"]

    def test_the_first_moment_of_1970_is_1_ms_later_and_that_is_told(
        self, settings: Settings, topic: str, topics: Topics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(settings, lines(topic, b'{"at":0}\n', tmp_path, timestamp="at"), Options()) == 0
        (record,) = topics.records(topic)
        assert record.timestamp()[1] == 1
        assert "the event time of 1 records is 0" in capsys.readouterr().err

    def test_a_compressed_file_is_sent_in_lines_of_utf_8(
        self, settings: Settings, topic: str, topics: Topics, tmp_path: Path
    ) -> None:
        text = gzip.compress('{"id":"é","meta":{"at":1763000000123456}}\r\n'.encode("utf-16"))
        assert run(settings, lines(topic, text, tmp_path, key="id", timestamp="meta.at"), Options()) == 0
        (record,) = topics.records(topic)
        assert (record.key(), record.timestamp()[1]) == ("é".encode(), 1_763_000_000_123)
        assert record.value() == '{"id":"é","meta":{"at":1763000000123456}}'.encode()

    def test_raw_sends_bad_lines_too(self, settings: Settings, topic: str, topics: Topics, tmp_path: Path) -> None:
        assert run(settings, lines(topic, b"nope\n\n\xff", tmp_path, raw=True), Options()) == 0
        assert sorted(record.value() or b"" for record in topics.records(topic)) == [b"", b"nope", b"\xff"]

    def test_a_topic_that_does_not_exist_is_named_with_the_remedy(
        self, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(settings, lines("missing", b"{}", tmp_path), Options()) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"produce: there is no topic missing at {settings.broker}: ")
        assert "--create" in line

    def test_a_topic_can_be_created(self, settings: Settings, topics: Topics, tmp_path: Path) -> None:
        name = settings.topic("new")
        file = tmp_path / "input.jsonl"
        file.write_bytes(b"{}")

        assert run(settings, FromFile(topic=name, path=str(file), create=True), Options()) == 0
        assert (topics.partitions(name), topics.size(name)) == (PARTITIONS, 1)

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(Settings(), FromFile(topic="any", path=f"{tmp_path}/none"), Options()) == 1
        assert capsys.readouterr().err == f"produce: cannot read {tmp_path}/none: No such file or directory\n"

    def test_the_report_can_be_json(
        self, settings: Settings, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run(settings, lines(topic, b"{}\n{}\n", tmp_path), Options(), as_json=True)

        (line,) = capsys.readouterr().out.splitlines()
        report = json.loads(line)
        assert (report["sent"], report["acknowledged"], report["failed"]) == (2, 2, 0)

    def test_ctrl_c_ends_a_wait_for_input(self, settings: Settings, topic: str, topics: Topics) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb", buffering=0) as pipe, os.fdopen(reader, "rb") as file:
            pipe.write(b"{}\n{}\n{}\n")
            thread = interrupt_when(lambda: topics.size(topic) == 3)
            report = produce_lines(settings, topic, file, JsonLines(), Options())
            thread.join()

        assert (report.sent, report.acknowledged, report.error) == (3, 3, "")
