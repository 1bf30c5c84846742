"""The command line: what each command imports, what is told of one that cannot be, and what completes it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import click
import pytest

from streamapp.cli.group import COMMANDS
from streamapp.cli.schema import proto
from streamapp.cli.topic import of_clicks
from streamapp.formats import Avro, Protobuf
from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.result_schemas import result_schemas
from streamapp.pipelines.settings import PIPELINES, AppSettings


def streamapp(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "streamapp", *arguments]
    environment = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def imported(*arguments: str) -> set[str]:
    """Return the packages that a command imports for its help."""
    command = [sys.executable, "-X", "importtime", "-m", "streamapp", *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    modules = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("command", ["", "kafka", "produce", "replay", "lag"])
def test_faust_and_aiokafka_are_imported_only_for_who_needs_them(command: str) -> None:
    assert not {"faust", "mode", "aiokafka", "aiohttp"} & imported(*command.split())


def test_the_list_of_commands_imports_none_of_them() -> None:
    assert not {"confluent_kafka", "msgspec", "tqdm"} & imported()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_that_is_listed_is_there_and_has_a_help(name: str) -> None:
    command = getattr(importlib.import_module(f"streamapp.cli.{name}"), name)
    assert isinstance(command, click.Command)
    assert (command.name, bool(command.help)) == (name, True)


@pytest.mark.parametrize("name", ["join", "window"])
def test_the_list_says_of_no_command_that_takes_any_format_that_it_is_for_json(name: str) -> None:
    command: click.Command = getattr(importlib.import_module(f"streamapp.cli.{name}"), name)
    assert {"left_format", "format_"} & {option.name for option in command.params}
    assert "JSON" not in COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_in_the_documentation(name: str) -> None:
    assert f"| `streamapp {name}` |" in (Path(__file__).parents[3] / "docs/commands.md").read_text()


def test_without_a_command_the_help_is_shown() -> None:
    shown = streamapp()
    assert (shown.returncode, shown.stdout) == (0, streamapp("--help").stdout)
    assert all(name in shown.stdout for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("prodcue", "streamapp: there is no command prodcue, but produce"),
        ("frobnicate", f"streamapp: there is no command frobnicate, but {', '.join(COMMANDS)}"),
        ("lag --at-mots 0", "streamapp lag: No such option: --at-mots Did you mean --at-most?"),
        ("--vresion", "streamapp: No such option: --vresion Did you mean --version?"),
        ("join --left a", "streamapp join: Missing option '--right'."),
        ("-A no_such_app reset", "streamapp reset: -A no_such_app: there is no module no_such_app here"),
    ],
)
def test_a_command_line_that_cannot_be_is_one_line_with_what_was_meant(arguments: str, line: str) -> None:
    refused = streamapp(*arguments.split())
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", f"{line}\n")


def test_a_setting_that_cannot_be_used_is_one_line() -> None:
    refused = streamapp("lag", STREAMAPP_PARTITIONS="no")
    assert refused.returncode == 1
    assert refused.stderr == "streamapp: STREAMAPP_PARTITIONS=no: must be a whole number from 1 to 10,000\n"


def test_a_command_is_for_the_app_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("from streamapp import App\napp = App('shop')\n")
    there = {"STREAMAPP_BROKER": "127.0.0.1:1", "STREAMAPP_DATADIR": "/dev/null", "PYTHONPATH": str(tmp_path)}
    assert "cannot use /dev/null/kafka " in streamapp("-A", "shop", "kafka", **there).stderr
    refused = streamapp("-A", "shop", "produce", **there)
    pipelines = " or ".join(PIPELINES)
    assert refused.stderr == f"streamapp produce: say what to produce: a TOPIC, or --pipeline {pipelines}\n"


def test_the_worker_has_all_options_of_fausts() -> None:
    shown = streamapp("worker", "--help").stdout
    assert shown.startswith("Usage: streamapp worker ")
    assert all(option in shown for option in ("--loglevel", "--logfile", "--web-port", "--without-web"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell: str) -> None:
    assert f"_STREAMAPP_COMPLETE={shell}_complete" in streamapp("completion", shell).stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("streamapp re", ["replay", "redrive", "reset", "rename", "repartition"]),
        ("streamapp join --un", ["--unmatched"]),
        ("streamapp produce --pipeline c", ["clicks"]),
    ],
)
def test_commands_options_and_choices_are_completed(words: str, completed: list[str]) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_STREAMAPP_COMPLETE": "bash_complete"}
    assert streamapp(**asked).stdout.splitlines() == [f"plain,{word}" for word in completed]


def test_every_app_has_our_reset_and_rename_in_fausts_command_line() -> None:
    command = [sys.executable, "-m", "faust", "-A", "streamapp"]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert "Start an app or a join again" in shown
    assert "Give the group OLD the name NEW" in shown


def test_the_schema_of_the_results_is_printed_for_who_reads_them(tmp_path: Path) -> None:
    printed = streamapp("schema", "joined_data", STREAMAPP_FORMAT="avro").stdout
    (tmp_path / "joined.avsc").write_text(printed)
    schemas = Path(__file__).parents[3] / "streamapp" / "pipelines" / "clicks" / "schemas"
    results = result_schemas(Avro(schemas / "click.avsc"), Avro(schemas / "profile.avsc"))
    assert results is not None
    assert isinstance(results.joined, Avro)
    assert Avro(tmp_path / "joined.avsc").prefix == results.joined.prefix
    assert "string reason = 2;" in streamapp("schema", "unmatched_clicks", STREAMAPP_FORMAT="protobuf").stdout


def test_the_schema_of_results_of_two_files_of_protobuf_is_a_file_that_imports_them(tmp_path: Path) -> None:
    text = 'syntax = "proto3"; package shop; message {} {{ string user_id = 1; }}'
    for name in ("View", "User"):
        (tmp_path / f"{name}.proto").write_text(text.format(name))
    results = result_schemas(Protobuf(tmp_path / "View.proto"), Protobuf(tmp_path / "User.proto"))
    assert results is not None
    assert isinstance(results.joined, Protobuf)
    (tmp_path / "joined.proto").write_text(proto(cast(Any, results.joined.generated.DESCRIPTOR)))
    value = b'{"click":{"user_id":"u"},"profile":null,"join_timestamp":1.5}'
    assert Protobuf(tmp_path / "joined.proto").to_json(results.joined.from_json(value)) == value


def test_the_topics_of_the_click_app_are_shown_as_its_settings_have_them() -> None:
    settings = AppSettings(format=FormatName.AVRO, topic_prefix="shop.")
    found = of_clicks(settings, "shop.joined_data")
    assert isinstance(found, Avro)
    assert found.parsed["name"] == "streamapp.clicks.Joined"
    assert of_clicks(settings, "shop.orders") is None
    assert of_clicks(AppSettings(), "joined_data") is None


def test_results_that_have_no_schema_are_told_in_one_line() -> None:
    found = streamapp("schema", "joined_data", STREAMAPP_TOPIC_PREFIX="shop.")
    assert found.returncode == 2
    assert found.stderr.splitlines()[-1] == "streamapp schema: shop.joined_data is json, which has no schema"
