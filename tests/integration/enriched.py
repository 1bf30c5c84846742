"""What records are to come out with, by a plain model; and what there is."""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random
from typing import Any, NamedTuple

from enriching_app import KINDS
from topics import Received, Topics
from worker import Worker

from streamapp.windows import Count
from streamapp.windows.durations import milliseconds

GRACE_MS = 200


class Enriched(NamedTuple):
    """A record that came out: its key, its fields, its event time and its headers."""

    key: bytes | None
    value: dict[str, Any]
    timestamp: int
    headers: Any


def produce(topics: Topics, count: int, *, start: int = 0, seed: int = 1, disorder: bool = True) -> None:
    """Send payments, each with a number; out of order, some late, some without what the features take."""
    random = Random(seed + start)
    for at in range(start, start + count):
        key = None if disorder and random.random() < 0.02 else f"k{random.randrange(10)}"
        amount = random.choice((1, 5, 100, None)) if random.random() > 0.03 or not disorder else "much"
        value = {"at": at, "amount": amount, "ip": f"10.0.0.{random.randrange(5)}", "account": random.randrange(7)}
        if disorder and random.random() < 0.02:
            del value["account"], value["ip"]
        delay = random.choice((0, 0, 0, 20, 150, 300, 900)) if disorder else 0
        headers = [("trace", str(at).encode())]
        partition = None if key else 0
        topics.send("payments", key, value, at=1_000 + 5 * at - delay, headers=headers, partition=partition)
    topics.flush()


def usable(kind: str, key: bytes | None, value: dict[str, Any]) -> bool:
    """Tell whether a record has what the features of a kind take."""
    aggregates = KINDS[kind].values()
    names = {name for one in aggregates for name in (one.by, one.field) if name is not None}
    if key is None and any(one.by is None for one in aggregates):
        return False
    return names <= value.keys() and not ("amount" in names and isinstance(value["amount"], str))


def expected(topics: Topics, kind: str) -> tuple[list[Enriched], int, int]:
    """Say what comes out of what is in a topic of one partition, in its order; how many are rejected, and late."""
    found: list[Enriched] = []
    counted: list[tuple[int, bytes | None, dict[str, Any]]] = []
    clock, rejected, late = 0, 0, 0
    for message in sorted(topics.read("payments"), key=lambda message: message.offset()):
        key, value, timestamp = message.key(), json.loads(message.value()), message.timestamp()[1]
        if not usable(kind, key, value):
            rejected += 1
            continue
        features = dict.fromkeys(KINDS[kind])
        if timestamp < clock - GRACE_MS:
            late += 1
        else:
            clock = max(clock, timestamp)
            counted.append((timestamp, key, value))
            features = {name: feature(one, counted) for name, one in KINDS[kind].items()}
        found.append(Enriched(key, value | features, timestamp, message.headers()))
    return found, rejected, late


def feature(one: Any, counted: list[tuple[int, bytes | None, dict[str, Any]]]) -> Any:
    """Return a feature of the last one of those that count."""
    until, key, value = counted[-1]
    after = until - milliseconds(one.over)
    among = [
        each["amount"]
        for timestamp, other, each in counted
        if after < timestamp <= until and (other == key if one.by is None else each[one.by] == value[one.by])
    ]
    if isinstance(one, Count):
        return len(among)
    amounts = [amount for amount in among if amount is not None]
    return sum(amounts) if amounts else None


def given(topics: Topics, kind: str) -> dict[int, list[Enriched]]:
    """Return what came out, by partition, in its order."""
    found: dict[int, list[Enriched]] = {partition: [] for partition in range(topics.partitions)}
    for message in sorted(topics.read(f"{kind}.results"), key=lambda message: message.offset()):
        found[message.partition()].append(enriched(message))
    return found


def enriched(message: Received) -> Enriched:
    return Enriched(message.key(), json.loads(message.value()), message.timestamp()[1], message.headers())


def numbers(results: list[Enriched]) -> list[int]:
    """Return the numbers of payments."""
    return [one.value["at"] for one in results]


def balance(worker: Worker, kind: str) -> Counter[str]:
    """Sum up the balances of an enrichment that a worker tells of."""
    pattern = rf'streamapp_enrichment_records{{account="(\w+)",enrichment="{kind}",partition="\d+"}} ([\d.]+)'
    found: Counter[str] = Counter()
    for account, count in re.findall(pattern, worker.get("/metrics").body.decode()):
        found[account] += int(float(count))
    return found
