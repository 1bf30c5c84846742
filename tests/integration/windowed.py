"""What windows give for the records of a topic: run by the driver of the library, without Kafka; and what there is."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter, defaultdict
from random import Random
from typing import Any, cast

import msgspec
from topics import Received, Topics
from windows_app import SIDES, declared
from worker import Worker

from streamapp.joins import Driver, Event, from_side
from streamapp.settings import Settings
from streamapp.topology import App
from streamapp.windows import Emission, WindowedAggregate

__all__ = ["Expected", "accounts", "counted", "expected", "given", "produce", "sides"]

#: Key, value and event time of a result.
Result = tuple[bytes, dict[str, Any], int]


@dataclasses.dataclass
class Expected:
    """What windows give, all their partitions together."""

    results: Counter[str]
    #: Side outputs: reason and offset of a record.
    sides: Counter[tuple[bytes, bytes, bytes]]
    #: The sums of the balances.
    balance: Counter[str]


def produce(topics: Topics, count: int, *, seed: int = 1, keys: int = 20, start: int = 0) -> int:
    """Send payments, out of order: some of them late, some without a key, or an amount; returns the sum of amounts."""
    random, total = Random(seed), 0
    for at in range(start, start + count):
        key = None if random.random() < 0.02 else f"k{random.randrange(keys)}"
        delay = random.choice((0, 0, 20, 150, 300, 900))
        amount = random.choice((1, 5, 100, "much"))
        value = {"amount": amount, "ip": f"10.0.0.{random.randrange(5)}"}
        topics.send("payments", key, value, at=1_000 + 5 * at - delay, partition=None if key else 0)
        total += amount if isinstance(amount, int) else 0
    topics.flush()
    return total


def expected(topics: Topics, name: str, source: str = "payments", *, full_name: bool = False) -> Expected:
    """Say what windows give for what is in their topic now."""
    join = cast(
        "WindowedAggregate", declared(cast("Any", App(Settings(store="memory://", **topics.settings))))[name].join
    )
    messages = topics.read(source, full_name=full_name)
    whole = Expected(Counter(), Counter(), Counter())
    for partition in range(topics.partitions):
        mine = sorted((each for each in messages if each.partition() == partition), key=lambda each: each.offset())
        driver = Driver(join)
        driver.process(from_side(0, (event(each) for each in mine)))
        for result in driver.results:
            value = dict(zip(("n", "total"), result.values or (None, None), strict=True))
            value |= {"key": result.key.decode(), "start": result.start, "end": result.end}
            value |= {"final": result.final} if join.emission is Emission.BOTH else {}
            whole.results[told(result.key, value, result.timestamp)] += 1
        for side in driver.side_outputs:
            place = b"%d" % partition, b"%d" % side.record.offset
            whole.sides[side.reason.encode(), *place] += 1
        whole.balance.update(msgspec.structs.asdict(driver.operator.balance))
    return whole


def event(message: Received) -> Event:
    return Event(message.key(), message.value(), message.timestamp()[1], message.offset())


def told(key: bytes, value: dict[str, Any], timestamp: int) -> str:
    return json.dumps([key.decode(), value, timestamp], sort_keys=True)


def given(topics: Topics, name: str) -> Counter[str]:
    """Count the results that are in the topic of some windows."""
    messages = topics.read(f"{name}.results")
    return Counter(told(each.key(), json.loads(each.value()), each.timestamp()[1]) for each in messages)


def sides(topics: Topics, name: str) -> Counter[tuple[bytes, bytes, bytes]]:
    """Count the records in the topics of their side outputs."""
    found: Counter[tuple[bytes, bytes, bytes]] = Counter()
    for side in SIDES:
        for message in topics.read(f"{name}.{side}"):
            headers = dict(message.headers())
            found[headers["reason"], headers["partition"], headers["offset"]] += 1
    return found


def counted(topics: Topics, name: str) -> int:
    """Sum up how many records the results of tumbling windows have; one that is there twice says the same twice."""
    values = [json.loads(message.value()) for message in topics.read(f"{name}.results")]
    found: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for value in values:
        found[value["key"], value["start"]].add(value["n"])
    return sum(n for (n,) in found.values())


def accounts(worker: Worker, name: str) -> Counter[str]:
    """Sum up the balances of windows that a worker tells of."""
    pattern = rf'streamapp_window_records{{account="(\w+)",partition="\d+",window="{name}"}} ([\d.]+)'
    found: Counter[str] = Counter()
    for account, count in re.findall(pattern, worker.get("/metrics").body.decode()):
        found[account] += int(float(count))
    return found
