"""The programs that are compared."""

from __future__ import annotations

import dataclasses
import itertools
import os
from pathlib import Path

import pytest

from benchmarks.knobs import KNOBS, Knob, Subject
from benchmarks.options import parse
from benchmarks.peers import PAIRING, PEERS, PROGRAMS, Job, KafkaStreams, PythonProgram, Streamapp, UnavailableError
from benchmarks.windowing import WINDOWING
from streamapp.pipelines.settings import AppSettings

JOB = Job("127.0.0.1:9092", "prefix.", "out", "group", Path("/state"), 4, 50)


def test_each_peer_has_a_name_of_its_own() -> None:
    names = [peer.name for peer in PEERS]
    assert len({*names, "streamapp"}) == len(names) + 1


@pytest.mark.parametrize("peer", [*PEERS, *PAIRING, *itertools.chain(*WINDOWING.values())], ids=lambda peer: peer.name)
def test_each_peer_names_the_version_that_it_is_made_with(peer: PythonProgram | KafkaStreams) -> None:
    assert peer.version[0].isdigit()


@pytest.mark.parametrize("requirements", list(PROGRAMS.glob("*/requirements.txt")), ids=lambda file: file.parent.name)
def test_all_requirements_are_pinned(requirements: Path) -> None:
    assert all("==" in line for line in requirements.read_text().splitlines())


def test_streamapp_takes_its_job_as_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in Streamapp(Path("/bin")).environment(JOB).items():
        monkeypatch.setenv(name, value)
    settings = AppSettings.from_environment(os.environ)
    assert (settings.broker, settings.id, settings.store) == ("127.0.0.1:9092", "group", "rocksdb://")
    assert (settings.topic("user_clicks"), settings.topic("joined_data")) == (JOB.clicks, JOB.joined)


def test_without_maven_kafka_streams_is_left_out_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match=r"^mvn and javac and java not found$"):
        KafkaStreams("kafka_streams", "Kafka Streams").install(tmp_path)


def test_a_venv_without_streamapp_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"faust not found: name the bin of a venv .* by --streamapp$"):
        Streamapp(tmp_path).install(tmp_path)


def test_a_peer_that_is_not_known_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--peers", "streamapp,spark"])
    assert "unknown: spark" in capsys.readouterr().err


def test_all_parts_and_peers_are_run_if_none_are_named() -> None:
    options = parse([])
    assert len(options.parts) == 16
    assert [peer.name for peer in options.peers] == ["streamapp", *(peer.name for peer in PEERS)]
    assert [peer.name for peer in options.pairing] == ["streamapp", *(peer.name for peer in PAIRING)]
    assert options.command == "make bench"


def test_all_settings_are_varied_if_none_are_named() -> None:
    assert parse([]).settings == [knob.name for knob in KNOBS]
    assert parse(["--settings", "acks,linger"]).settings == ["linger", "acks"]


@pytest.mark.parametrize("knob", KNOBS, ids=lambda knob: knob.name)
def test_each_setting_is_varied_around_its_default(knob: Knob) -> None:
    assert knob.default in knob.values
    assert len(knob.values) > 2


@pytest.mark.parametrize(
    "knob", [one for one in KNOBS if one.subject in {Subject.WORKER, Subject.SESSION}], ids=lambda knob: knob.name
)
def test_a_worker_takes_each_value_of_a_setting_and_has_the_default_without_one(
    knob: Knob,
) -> None:
    settings = {}
    for shown, value in knob.values.items():
        told = dataclasses.replace(Streamapp(Path("/bin")), settings={knob.variable: value})
        settings[shown] = AppSettings.from_environment(told.environment(JOB))
    field = knob.variable.removeprefix("STREAMAPP_").lower()
    default = getattr(AppSettings(), field)
    # Without a commit interval it is that of the guarantee.
    assert getattr(settings[knob.default], field) == (1.0 if default is None else default)
    assert len({getattr(one, field) for one in settings.values()}) == len(knob.values)


def test_the_command_that_is_written_down_can_be_given_again() -> None:
    assert parse(["--only", "users", "--clicks", "10"]).command == 'make bench BENCH="--only users --clicks 10"'


def test_parts_that_are_named_are_run_in_their_own_order() -> None:
    assert parse(["--only", "recovery,throughput"]).parts == ["throughput", "recovery"]
