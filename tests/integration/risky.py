"""Transactions, and what is to be told of them, by a plain model with lists; and what there is."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection
from random import Random
from typing import Any, NamedTuple

import pytest
from topics import Received, Topics
from worker import Worker, wait_until

from streamapp.kafka.partitioner import partition_of

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
#: What is no transaction: a key, a value, and the reason for which it is set aside.
BAD: list[tuple[str | None, Any, str]] = [
    ("a1", {"transaction_id": "x1", "account": "a1", "ip": "10.0.0.1"}, "missing_field"),
    ("a1", b'{"transaction_id": "x2", "account": "a1", "ip": "10.0.0.1", "amount": NaN}', "not_json"),
    ("a1", {"transaction_id": "x3", "account": "a1", "ip": "10.0.0.1", "amount": -5}, "wrong_type"),
    ("a1", {"transaction_id": "x4", "account": "a1", "ip": "10.0.0.1", "amount": 0}, "wrong_type"),
    ("a1", {"transaction_id": "x5", "account": "a1", "ip": "10.0.0.1", "amount": "5"}, "wrong_type"),
    ("a1", {"transaction_id": "x6", "account": "a1", "ip": "10.0.0.256", "amount": 5}, "wrong_type"),
    ("a1", {"transaction_id": "x7", "account": "a1", "ip": None, "amount": 5}, "wrong_type"),
    ("a1", b'{"transaction_id": "x8", ', "not_json"),
    ("a1", b"1e999", "wrong_type"),
    ("a1", None, "tombstone"),
    ("a2", {"transaction_id": "x9", "account": "a1", "ip": "10.0.0.1", "amount": 5}, "key_mismatch"),
    (None, {"transaction_id": "x0", "account": "a1", "ip": "10.0.0.1", "amount": 5}, "null_key"),
]


#: Features that are null of what is late.
LOOKING_BACK = (
    "ip_count_1m",
    "ip_count_1h",
    "ip_sum_1m",
    "ip_sum_1h",
    "ip_accounts_1h",
    "account_count_1h",
    "account_sum_1h",
    "account_mean",
    "account_deviation",
)


class Sent(NamedTuple):
    """A transaction as it came."""

    time: int
    account: str
    ip: str
    amount: float


def profiles(topics: Topics, accounts: int) -> None:
    """Send what is known of accounts, but of the first one nothing."""
    for number in range(1, accounts):
        value = {"account": f"a{number}", "opened": topics.now - number * DAY, "limit": 100 * number}
        topics.send("accounts", f"a{number}", value, at=-1_000)
    topics.flush()


def produce(
    topics: Topics, count: int, *, start: int = 0, disorder: int = 0, accounts: int = 12, mixed: bool = False
) -> None:
    """Send transactions 250 ms apart, some older than that by up to `disorder` ms.

    Unless they are `mixed`, all of an IP are in one partition: the order in which several workers send is not known.
    """
    random = Random(start)
    for number in range(start, start + count):
        account = f"a{random.randrange(accounts)}"
        partition = 0 if mixed else partition_of(account.encode(), topics.partitions)
        ip = random.choice((f"10.0.{partition}.{random.randrange(3)}", f"2001:db8::{partition}"))
        value = {"transaction_id": f"t{number}", "account": account, "ip": ip, "amount": random.randrange(1, 400) / 4}
        late = random.randrange(disorder) if disorder and random.random() < 0.3 else 0
        topics.send("transactions", account, value, at=250 * number - late, headers=[("trace", b"%d" % number)])
    topics.flush()


class Told(NamedTuple):
    """What is to be told of a transaction."""

    features: dict[str, Any]
    late: bool


def expected(
    topics: Topics, grace: int, *, mixed: bool = False, unusable: Collection[bytes | None] = ()
) -> dict[str, Told]:
    """Return what is to be told of the transactions, by their ids; if they are `mixed`, in the order of their times."""
    known = {message.key().decode(): json.loads(message.value()) for message in topics.read("accounts")}
    sent = [message for message in topics.read("transactions") if message.value() not in unusable]
    if mixed:
        return _of_partition(sorted(sent, key=lambda one: one.timestamp()[1]), known, grace)
    parts: defaultdict[int, list[Received]] = defaultdict(list)
    for message in sorted(sent, key=lambda one: one.offset()):
        parts[message.partition()].append(message)
    return {name: told for messages in parts.values() for name, told in _of_partition(messages, known, grace).items()}


def _of_partition(messages: list[Received], known: dict[str, Any], grace: int) -> dict[str, Told]:
    found: dict[str, Told] = {}
    of_ip, of_account = defaultdict[str, list[Sent]](list), defaultdict[str, list[Sent]](list)
    clock = 0
    for message in messages:
        value, time = json.loads(message.value()), message.timestamp()[1]
        one = Sent(time, value["account"], str(ipaddress.ip_address(value["ip"])), value["amount"])
        late = time < clock - grace
        told = dict.fromkeys(LOOKING_BACK)
        if not late:
            clock = max(clock, time)
            of_ip[one.ip].append(one)
            of_account[one.account].append(one)
            told = _features(one, of_ip[one.ip], of_account[one.account])
        found[value["transaction_id"]] = Told(told | _known(one, known.get(one.account)), late)
    return found


def _features(one: Sent, of_ip: list[Sent], of_account: list[Sent]) -> dict[str, Any]:
    """Return what those of its IP and of its account so far, itself among them, tell of a transaction."""

    def last(size: int, sent: list[Sent]) -> list[Sent]:
        return [other for other in sent if one.time - size < other.time <= one.time]

    minute, hour = last(MINUTE, of_ip), last(HOUR, of_ip)
    mine = [other.amount for other in last(HOUR, of_account)]
    usual = [other.amount for other in last(30 * DAY, of_account)]
    usual.remove(one.amount)
    mean = statistics.fmean(usual) if usual else None
    deviation = None
    if mean is not None and len(usual) >= 3:
        spread = math.sqrt(math.fsum((each - mean) ** 2 for each in usual) / (len(usual) - 1))
        deviation = (one.amount - mean) / max(spread, 0.01 * mean)
    return {
        "ip_count_1m": len(minute),
        "ip_count_1h": len(hour),
        "ip_sum_1m": sum(other.amount for other in minute),
        "ip_sum_1h": sum(other.amount for other in hour),
        "ip_accounts_1h": len({other.account for other in hour}),
        "account_count_1h": len(mine),
        "account_sum_1h": sum(mine),
        "account_mean": mean,
        "account_deviation": deviation,
    }


def _known(one: Sent, profile: dict[str, Any] | None) -> dict[str, Any]:
    if profile is None:
        return {"account_age_days": None, "account_limit": None}
    return {"account_age_days": (one.time - profile["opened"]) / DAY, "account_limit": profile["limit"]}


def scores(topics: Topics) -> dict[str, list[dict[str, Any]]]:
    """Return the scores that came out, by the ids of the transactions."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for message in topics.read("transaction_scores"):
        value = json.loads(message.value())
        assert message.key().decode() == value["account"]
        assert message.timestamp()[1] == value["time"]
        found[value["transaction_id"]].append(value)
    return dict(found)


def check(
    topics: Topics, *, once: bool, grace: int, mixed: bool = False, unusable: Collection[bytes | None] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Compare what came out with the plain model; if not each `once`, what came twice must be the same."""
    found, told = scores(topics), expected(topics, grace, mixed=mixed, unusable=unusable)
    assert found.keys() == told.keys()
    for name, several in found.items():
        assert not once or len(several) == 1, f"{name} came out {len(several)} times"
        for score in several:
            assert alike(score["features"], told[name].features), (name, score, told[name])
            assert score["late"] is told[name].late
    return found


def alike(found: dict[str, Any], told: dict[str, Any]) -> bool:
    """Tell whether features are the same, but for the last bits of sums."""
    known = {name for name, value in told.items() if value is not None}
    if found.keys() != told.keys() or known != {name for name, value in found.items() if value is not None}:
        return False
    return {name: found[name] for name in known} == pytest.approx({name: told[name] for name in known}, rel=1e-9)


def wait_scored(topics: Topics, count: int) -> None:
    """Wait until so many transactions have a score, or none for a reason."""
    wait_until(
        lambda: topics.end("transaction_scores") >= count and len(scores(topics)) >= count,
        f"{count} transactions are scored",
    )


def metric(worker: Worker, name: str) -> Counter[str]:
    """Return the values of a metric of a worker by their labels, as they are written."""
    found: Counter[str] = Counter()
    text = worker.get("/metrics").body.decode()
    for labels, value in re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE):
        found[labels] += float(value)  # type: ignore[assignment]  # of a gauge, too
    return found
