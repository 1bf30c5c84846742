"""What a join gives for the records of its topics: run by the driver of the library, without Kafka."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

import msgspec
from faust.types import TP
from joining_app import SIDES, declared
from topics import Received, Topics
from worker import Worker

from streamapp.joins import Driver, Event, Reason, SideOutput, Verdict
from streamapp.runtime.batch import Batch, Merged
from streamapp.settings import Settings
from streamapp.topology import App, JoinDeclaration
from streamapp.topology.sink import json_value

__all__ = ["TOPICS", "Expected", "Run", "balance", "expected", "given", "produce", "runs", "sides"]

TOPICS = ("purchases", "views", "customers")

#: Reason, topic, partition, offset, value of a record that is not matched, and by how much it was late.
Side = tuple[bytes, bytes, bytes, bytes, bytes | None, bytes]
#: Key, value and event time of a result.
Result = tuple[bytes | None, bytes | None, int]


@dataclasses.dataclass
class Expected:
    """What a join gives, all its partitions together."""

    results: Counter[Result]
    #: Side outputs: reason, and value of the record.
    side: Counter[Side]
    #: By name, the sums of the balances.
    balance: Counter[str]


def produce(topics: Topics, count: int, *, seed: int = 1, keys: int = 20, start: int = 0) -> None:
    """Send records to all topics, out of order: some of them late, some without a key."""
    random, numbers = Random(seed), itertools.count(start)
    for at in range(start, start + count):
        for place, topic in enumerate(TOPICS):  # no two topics have records of the same time: they could go either way
            key = None if random.random() < 0.02 else f"k{random.randrange(keys)}"
            delay = random.choice((0, 0, 20, 150, 900))
            value = None if topic == "customers" and random.random() < 0.1 else {topic: next(numbers)}
            topics.send(topic, key, value, at=1_000 + 5 * at - delay + place, partition=None if key else 0)
    topics.flush()


@dataclasses.dataclass
class Run:
    """One partition of a join, when all is read."""

    driver: Driver[Any]
    #: The topic of each source.
    topics: dict[int, str]
    #: The records of each topic.
    records: dict[str, list[Any]]

    def verdicts(self, topic: str, record: Any) -> list[Verdict]:
        """Say what became of a record, for each source that its topic is taken for."""
        told = {(side.side, side.record.offset): side for side in self.driver.side_outputs}
        return [
            self.driver.operator.explain(source, record).settled(told.get((source, record.offset))).verdict
            for source, name in self.topics.items()
            if name == topic
        ]


def runs(topics: Topics, name: str, directory: Path, change: Callable[[Any], Any] = lambda join: join) -> list[Run]:
    """Run the join, or another declaration of it, over what is in its topics now, partition by partition."""
    app = App(Settings(datadir=directory, store="memory://", **topics.settings))
    join = declared(cast("Any", app))[name]
    join = dataclasses.replace(join, join=change(join.join))
    inputs = {each.topic: topics.read(each.topic.removeprefix(topics.prefix)) for each in join.inputs}
    found = []
    for partition in range(topics.partitions):
        records = {topic: _of(messages, partition) for topic, messages in inputs.items()}
        found.append(Run(_run(join, records, partition), join.topics, records))
    return found


def expected(topics: Topics, name: str, directory: Path) -> Expected:
    """Say what the join gives for what is in its topics now."""
    whole = Expected(Counter(), Counter(), Counter())
    for partition, run in enumerate(runs(topics, name, directory)):
        driver = run.driver
        whole.results.update((result.key, json_value(result), result.timestamp) for result in driver.results)
        whole.side.update(_side(side, run.topics[side.side], partition) for side in driver.side_outputs)
        whole.balance.update(msgspec.structs.asdict(driver.operator.balance))
    return whole


def _side(side: SideOutput, topic: str, partition: int) -> Side:
    late = b"%d" % side.late_by if side.reason is Reason.LATE else b""
    place = b"%d" % side.record.offset
    return side.reason.encode(), topic.encode(), b"%d" % partition, place, side.record.value, late


def sides(topics: Topics, name: str) -> Counter[Side]:
    """Count the records in the topics of a join's side outputs."""
    found: Counter[Side] = Counter()
    for side in SIDES:
        for message in topics.read(f"{name}.{side}"):
            told = dict(message.headers())
            late = told.get("late_by_ms", b"")
            found[told["reason"], told["topic"], told["partition"], told["offset"], message.value(), late] += 1
    return found


def balance(worker: Worker, name: str) -> Counter[str]:
    """Sum up the balances of a join that a worker tells of."""
    pattern = rf'streamapp_join_records{{account="(\w+)",join="{name}",partition="\d+"}} ([\d.]+)'
    found: Counter[str] = Counter()
    for account, count in re.findall(pattern, worker.get("/metrics").body.decode()):
        found[account] += int(float(count))
    return found


def _of(messages: list[Received], partition: int) -> list[Any]:
    mine = sorted((each for each in messages if each.partition() == partition), key=lambda each: each.offset())
    return [Event(each.key(), each.value(), each.timestamp()[1], each.offset()) for each in mine]


def _run(join: JoinDeclaration[Any], records: dict[str, list[Any]], partition: int) -> Driver[Any]:
    driver: Driver[Any] = Driver(join.join)
    tps = [TP(topic, partition) for topic in records]
    batches = [Batch(tp, records[tp.topic]) for tp in tps if records[tp.topic]]
    if batches:
        merged = Merged.of(tps, batches)
        sources = [[each.source for each in join.inputs if each.topic == tp.topic] for tp in tps]
        driver.process(
            (source, record)
            for number, record in zip(merged.sources, merged, strict=True)
            for source in sources[number]
        )
    return driver


def given(topics: Topics, name: str) -> Counter[Result]:
    """Count the results that are in the topic of a join."""
    messages = topics.read(f"{name}.joined")
    return Counter((each.key(), each.value(), each.timestamp()[1]) for each in messages)
