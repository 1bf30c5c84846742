"""The whole join by the format of its topics: the same clicks and profiles, encoded once before anything is timed.

python -m benchmarks.format_join --clicks 1000000 --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import functools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.peers import Job, Streamapp
from benchmarks.runner import Run, Runner, median
from benchmarks.topics import Topics
from benchmarks.workload import Input, Record, Workload
from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.formats import Avro, Format, Json, MessagePack, Protobuf
from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.result_schemas import result_schemas

__all__ = ["FORMATS", "FormatStreamapp", "FormatWorkload", "rates", "table"]

ROOT: Final = Path(__file__).parent.parent
SCHEMAS: Final = ROOT / "streamapp" / "pipelines" / "clicks" / "schemas"
FORMATS: Final = (FormatName.JSON, FormatName.MSGPACK, FormatName.AVRO, FormatName.PROTOBUF)


@functools.cache
def _format(kind: FormatName, message: str) -> Format:
    match kind:
        case FormatName.MSGPACK:
            return MessagePack()
        case FormatName.PROTOBUF:
            return Protobuf(SCHEMAS / "clicks.proto", message)
        case FormatName.AVRO if message == "Joined":
            results = result_schemas(Avro(SCHEMAS / "click.avsc"), Avro(SCHEMAS / "profile.avsc"))
            return results.joined if results else Json()
        case FormatName.AVRO:
            return Avro(SCHEMAS / f"{message.lower()}.avsc")
        case _:
            return Json()


@dataclasses.dataclass(frozen=True)
class FormatWorkload(Workload):
    """The clicks and profiles of `Workload` in a format; clicks have the event time that their schemas have, too."""

    kind: FormatName = FormatName.JSON

    @property
    def prefix(self) -> str:
        """A prefix for its topics, which no other workload has."""
        return f"{self.kind}-{super().prefix}"

    def inputs(self, start: int) -> Mapping[str, Input]:
        """Give the profiles, and then the clicks."""
        return {
            "user_profiles": Input(self.users, self._encoded(self.profiles(start), "Profile")),
            "user_clicks": Input(self.clicks, self._encoded(self.stream(start), "Click")),
        }

    def _encoded(self, records: Iterator[Record], message: str) -> Iterator[Record]:
        encode = _format(self.kind, message).from_json
        for key, value, timestamp in records:
            yield key, encode(value), timestamp

    def click(self, number: int) -> bytes:
        """Give the JSON of a click."""
        return super().click(number)[:-1] + b',"timestamp":%d}' % (1_700_000_000_000 + number)

    def result(self, key: bytes | None, value: bytes | None) -> int | None:
        """Give the number of the click, if it is as it was produced, with its user's profile, under the user's key."""
        if self.kind is FormatName.JSON:
            return super().result(key, value)
        try:
            decoded = _format(self.kind, "Joined").to_json(value or b"")
        except ValueError:
            return None
        return super().result(key, decoded)

    @property
    def bytes_of_a_click(self) -> int:
        """The size of the first click."""
        return len(_format(self.kind, "Click").from_json(self.click(0)))


@dataclasses.dataclass(frozen=True)
class FormatStreamapp(Streamapp):
    """The app with topics of a format."""

    kind: FormatName = FormatName.JSON

    def environment(self, job: Job) -> dict[str, str]:
        """Give the settings."""
        return {**super().environment(job), "STREAMAPP_FORMAT": self.kind.value}


def rates(runner: Runner, streamapp: Path, *, clicks: int, users: int, rounds: int) -> list[Run[FormatWorkload]]:
    """Run the join in each format, in rounds whose order alternates."""
    runs: list[Run[FormatWorkload]] = []
    loads = {kind: FormatWorkload(users, clicks, kind=kind) for kind in FORMATS}
    for number in range(rounds):
        for kind in FORMATS if number % 2 == 0 else FORMATS[::-1]:
            peer = FormatStreamapp(streamapp, name=f"streamapp-{kind}", kind=kind)
            runner.warm_up(peer, loads[kind])
            runs.append(runner.run(peer, loads[kind]))
    for load in loads.values():
        runner.forget(load)
    return runs


def table(runs: Sequence[Run[FormatWorkload]]) -> str:
    """Return the rates as a table, in Markdown."""
    by_kind = {kind: [run for run in runs if run.workload.kind is kind] for kind in FORMATS}
    figures = {kind: median(some) for kind, some in by_kind.items()}
    json_rate = figures[FormatName.JSON].per_s
    rows = [
        f"| {kind} | {by_kind[kind][0].workload.bytes_of_a_click} | {one.per_s:,.0f} | {one.per_s / json_rate:.0%} |"
        for kind, one in figures.items()
    ]
    return "\n".join(["| format | bytes a click | joined/s | of JSON's |", "|---|---:|---:|---:|", *rows])


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.format_join", description=__doc__)
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    cache = ROOT / ".bench"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="kafka-") as directory, asyncio.Runner() as loop:
        kafka = EmbeddedKafka(Path(directory))
        try:
            loop.run(kafka.start())
            topics = Topics(kafka.bootstrap)
            topics.warm_up()
            runner = Runner(topics, kafka.pid, cache)
            bin_ = ROOT / ".venv/bin"
            print(table(rates(runner, bin_, clicks=given.clicks, users=given.users, rounds=given.rounds)), flush=True)
        finally:
            loop.run(kafka.stop())


if __name__ == "__main__":
    main()
