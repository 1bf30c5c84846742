"""`streamapp produce` as users call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from produced import Topics

from streamapp.pipelines.clicks.settings import CLICKS
from streamapp.produce import Options, Traffic, run
from streamapp.settings import Settings


def test_a_broker_that_cannot_be_reached_is_one_line(nowhere: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(nowhere, Traffic(), Options(timeout=0.5)) == 1
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert told.out == ""
    assert line.startswith(f"produce: cannot reach Kafka at {nowhere.broker} (STREAMAPP_BROKER) within 0.5 s: ")
    assert "Connection refused" in line


class TestCommandLine:
    def produce(self, settings: Settings, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "STREAMAPP_BROKER": settings.broker,
            "STREAMAPP_TOPIC_PREFIX": settings.topic_prefix,
            "STREAMAPP_PARTITIONS": str(settings.partitions),
        }
        return subprocess.run(
            [sys.executable, "-m", "streamapp", "produce", *arguments],
            input=given,
            capture_output=True,
            env=environment,
            timeout=120,
            check=False,
        )

    def test_it_generates_profiles_and_clicks(self, settings: Settings, topics: Topics) -> None:
        done = self.produce(settings, "--users", "10", "--clicks", "100", "--bad-share", "0.5", "--json")

        report = json.loads(done.stdout)
        assert (done.returncode, done.stderr) == (0, b"")
        assert report["acknowledged"] == 111
        assert topics.size(settings.topic(CLICKS)) == report["generated"]["clicks"] == 100

    def test_it_sends_lines_of_stdin(self, settings: Settings, topic: str, topics: Topics) -> None:
        done = self.produce(settings, topic, "--key", "id", given=b'{"id":"u1"}\n')

        (record,) = topics.records(topic)
        assert (done.returncode, record.key(), record.value()) == (0, b"u1", b'{"id":"u1"}')

    @pytest.mark.parametrize(
        ("at", "unit", "milliseconds"), [("20231114", "date", 1_699_920_000_000), ("1700000000", "ms", 1_700_000_000)]
    )
    def test_a_unit_can_be_stated(
        self, settings: Settings, topic: str, topics: Topics, at: str, unit: str, milliseconds: int
    ) -> None:
        done = self.produce(settings, topic, "--timestamp", "at", "--unit", unit, given=b'{"at":%b}' % at.encode())

        (record,) = topics.records(topic)
        assert (done.returncode, record.timestamp()[1]) == (0, milliseconds)

    def test_a_time_that_may_be_a_date_ends_it_with_line_field_and_value(self, settings: Settings, topic: str) -> None:
        done = self.produce(settings, topic, "--timestamp", "at", given=b'{"at":1700000000}\n{"at":20231114}\n')

        (line,) = done.stderr.decode().splitlines()
        assert done.returncode == 1
        assert line.startswith(
            "produce: <stdin>:2: the timestamp, field at, must be a time from 1970 to 2199, in s, ms"
        )
        assert "20231114 may be a date" in line

    def test_options_of_a_file_need_a_topic(self, settings: Settings) -> None:
        done = self.produce(settings, "--file", "x")

        assert done.returncode == 2
        assert b"--file needs a TOPIC" in done.stderr

    def test_shares_must_fit_together(self, settings: Settings) -> None:
        done = self.produce(settings, "--bad-share", "0.6", "--late-share", "0.6")

        assert done.returncode == 2
        assert b"must not exceed 1 together" in done.stderr
