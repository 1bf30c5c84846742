"""`streamapp produce` as users call it."""

from __future__ import annotations

import json

import pytest
from produced import Topics, produce

from streamapp.pipelines.clicks.settings import CLICKS
from streamapp.pipelines.risk.settings import TRANSACTIONS
from streamapp.pipelines.sensors.settings import READINGS
from streamapp.settings import Settings


def test_a_broker_that_cannot_be_reached_is_one_line(nowhere: Settings) -> None:
    done = produce(nowhere, "--timeout", "0.5")
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (1, b"")
    assert line.startswith(
        f"streamapp produce: cannot reach Kafka at {nowhere.broker} (STREAMAPP_BROKER) within 0.5 s: "
    )
    assert "Connection refused" in line


def test_it_generates_profiles_and_clicks(settings: Settings, topics: Topics) -> None:
    done = produce(settings, "--users", "10", "--clicks", "100", "--bad-share", "0.5", "--json")

    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert report["acknowledged"] == 111
    assert topics.size(settings.topic(CLICKS)) == report["generated"]["clicks"] == 100


@pytest.mark.parametrize(("option", "topic"), [("transactions", TRANSACTIONS), ("readings", READINGS)])
def test_an_option_of_one_pipeline_alone_says_whose_traffic(
    settings: Settings, topics: Topics, option: str, topic: str
) -> None:
    done = produce(settings, f"--{option}", "50", "--json")

    assert (done.returncode, done.stderr) == (0, b"")
    assert topics.size(settings.topic(topic)) == json.loads(done.stdout)["generated"][option] == 50


def test_it_sends_lines_of_stdin(settings: Settings, topic: str, topics: Topics) -> None:
    done = produce(settings, topic, "--key", "id", given=b'{"id":"u1"}\n')

    (record,) = topics.records(topic)
    assert (done.returncode, record.key(), record.value()) == (0, b"u1", b'{"id":"u1"}')


@pytest.mark.parametrize(
    ("at", "unit", "milliseconds"), [("20231114", "date", 1_699_920_000_000), ("1700000000", "ms", 1_700_000_000)]
)
def test_a_unit_can_be_stated(
    settings: Settings, topic: str, topics: Topics, at: str, unit: str, milliseconds: int
) -> None:
    done = produce(settings, topic, "--timestamp", "at", "--unit", unit, given=b'{"at":%b}' % at.encode())

    (record,) = topics.records(topic)
    assert (done.returncode, record.timestamp()[1]) == (0, milliseconds)


def test_a_time_that_may_be_a_date_ends_it_with_line_field_and_value(settings: Settings, topic: str) -> None:
    done = produce(settings, topic, "--timestamp", "at", given=b'{"at":1700000000}\n{"at":20231114}\n')

    (line,) = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert line.startswith(
        "streamapp produce: <stdin>:2: the timestamp, field at, must be a time from 1970 to 2199, in s, ms"
    )
    assert "20231114 may be a date" in line


def refused(settings: Settings, *arguments: str) -> str:
    done = produce(settings, *arguments)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (2, b"")
    return line


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--key", "id"], "streamapp produce: --key needs a TOPIC"),
        (["lines", "--unit", "ms"], "streamapp produce: --unit needs a --timestamp"),
        (
            ["lines", "--late-share", "0.1"],
            "streamapp produce: --late-share is for generated traffic, without a TOPIC",
        ),
        (["--users", "0"], "streamapp produce: Invalid value for '--users': 0 is not in the range x>=1."),
        (
            ["--pipeline", "risks"],
            "streamapp produce: Invalid value for '--pipeline': 'risks' is not one of 'clicks', 'risk', 'sensors'.",
        ),
        (["--pipeline", "clicks", "--readings", "5"], "streamapp produce: --readings is for another pipeline"),
        (
            ["--clicks", "5", "--readings", "5"],
            "streamapp produce: say what to produce: a TOPIC, or --pipeline clicks or sensors",
        ),
        (["--clikcs", "5"], "streamapp produce: No such option: --clikcs Did you mean --clicks?"),
    ],
)
def test_options_that_cannot_be_are_one_line(settings: Settings, arguments: list[str], line: str) -> None:
    assert refused(settings, *arguments) == line


def test_shares_must_fit_together(settings: Settings) -> None:
    line = refused(settings, "--bad-share", "0.6", "--late-share", "0.6")
    assert line == "streamapp produce: the late, bad and unmatched shares must not exceed 1 together"


def test_a_file_that_is_not_there_is_named(settings: Settings) -> None:
    assert "'--file': '/none': No such file or directory" in refused(settings, "lines", "--file", "/none")
