"""Transactions at a steady rate, keyed by account, and what counts of their IP addresses are told, and when."""

from __future__ import annotations

import bisect
import enum
import multiprocessing
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from multiprocessing.process import BaseProcess
from typing import Final, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from benchmarks.topics import producer

__all__ = ["ACCOUNTS", "GRACE_MS", "SIZE_MS", "TRANSACTIONS", "Reader", "Told", "Transaction", "produce", "producing"]

#: Names of the topics, before the prefix.
TRANSACTIONS, PROFILES = "transactions", "accounts"
ACCOUNTS: Final = 2_000
IPS: Final = (8, 250)
#: What is counted is what an IP has within a minute; transactions of several partitions are some ms apart.
SIZE_MS: Final = 60_000
GRACE_MS: Final = 10_000
#: Seconds between two turns of the producer, which sends what has become due, together: as librdkafka and Java's do by
#: default, which wait so long for more. With a turn each ms, the producer alone had a processor of two.
TURN_S: Final = 0.005
LINGER_MS: Final = 0.5
#: How far apart (ms) transactions of one IP may be at the broker, and be taken in the other order.
APART_MS: Final = 2_000
VALUE: Final = '{"transaction_id":"t%d","account":"%s","ip":"%s","amount":%s}'


class Told(enum.StrEnum):
    """What a result tells."""

    #: How many transactions an IP has had in a minute by now.
    MINUTES = "minutes"
    #: Of a transaction, how many its IP has had in the minute that ends with it.
    EACH = "each"
    #: The same and much more: the score of a transaction.
    SCORES = "scores"


class Transaction(NamedTuple):
    """A transaction, as the broker has it: when it was appended (ms), which of all it is, and its IP."""

    appended: int
    number: int
    ip: str


class Result(NamedTuple):
    """A result: when it was read (ms since 1970), and its own time (ms), IP, count, minute and transaction."""

    read: float
    time: int
    ip: str
    n: int
    start: int
    number: int


class _Counted(msgspec.Struct):
    """A value of a topic of results, whichever program made it."""

    key: str = ""
    ip: str = ""
    start: int = 0
    n: int = 0
    transaction_id: str = "t-1"
    features: _Features | None = None


class _Features(msgspec.Struct):
    ip_count_1m: int | None


_transaction: Final = msgspec.json.Decoder(_Counted).decode


def produce(bootstrap: str, topic: str, rate: float, begin: int, number: int) -> None:
    """Produce so many transactions, so many a second, or all at once (0); they are numbered from `begin`."""
    client, rng = producer(bootstrap, linger_ms=LINGER_MS), random.Random(begin)
    start, sent = time.monotonic(), 0
    while sent < number:
        due = min(number, int((time.monotonic() - start) * rate) if rate else sent + 1_000)
        for order in range(sent, due):
            account = f"a{rng.randrange(ACCOUNTS)}"
            ip = f"10.0.{rng.randrange(IPS[0])}.{rng.randrange(IPS[1])}"
            value = VALUE % (begin + order, account, ip, rng.randrange(1, 9_999) / 100)
            while True:
                try:
                    client.produce(topic, value.encode(), account.encode())
                except BufferError:
                    client.poll(0.05)
                else:
                    break
        sent = due
        client.poll(0)
        if rate:
            time.sleep(TURN_S)
    client.flush()


def producing(bootstrap: str, topic: str, rate: float, begin: int, number: int) -> BaseProcess:
    """Produce in a process of its own: the reader must not wait for the producer's turn at the interpreter."""
    process = multiprocessing.get_context("spawn").Process(target=produce, args=(bootstrap, topic, rate, begin, number))
    process.start()
    return process


def transactions(messages: Iterator[Message]) -> list[Transaction]:
    """Return the transactions of a topic that the broker stamps as it appends."""
    found = []
    for message in messages:
        value = _transaction(message.value() or b"")
        found.append(Transaction(message.timestamp()[1], int(value.transaction_id[1:]), value.ip))
    return found


class Reader:
    """Reads results from the beginning of a topic, of transactions only what is committed (read_committed)."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "group.id": "benchmark",
                "socket.nagle.disable": True,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        self.results: list[Result] = []
        #: How many transactions the results tell of by now.
        self.covered = 0
        self._most: dict[tuple[str, int], int] = {}
        self._told: set[int] = set()

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()

    def read(self, patience: float) -> bool:
        """Read one result, waiting up to so many seconds for it; returns whether there was one."""
        message = self._consumer.poll(patience)
        now = time.time() * 1000
        if message is None:
            return False
        if message.error():
            raise KafkaException(message.error())
        value = _transaction(message.value() or b"")
        count = value.n if value.features is None else value.features.ip_count_1m or 0
        number = int(value.transaction_id[1:])
        result = Result(now, message.timestamp()[1], value.ip or value.key, count, value.start, number)
        self.results.append(result)
        if number >= 0:
            self.covered += number not in self._told
            self._told.add(number)
        elif count > (before := self._most.get((result.ip, result.start), 0)):
            self._most[result.ip, result.start] = count
            self.covered += count - before
        return True


class Covered(NamedTuple):
    """What results tell of transactions: how long each took (ms) by its number, and how many counts are wrong."""

    times: dict[int, float]
    wrong: int


def of_minutes(sent: Sequence[Transaction], results: Sequence[Result]) -> Covered:
    """Return how long it took until results counted transactions.

    The k-th transaction of an IP in a minute is there with the first result that counts k or more. A count is wrong
    if there are not so many transactions by the end.
    """
    appended: defaultdict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for one in sorted(sent):
        appended[one.ip, one.appended // SIZE_MS * SIZE_MS].append((one.appended, one.number))
    times: dict[int, float] = {}
    covered: Counter[tuple[str, int]] = Counter()
    wrong = 0
    for result in results:
        place = result.ip, result.start
        there = appended.get(place, [])
        if result.n > len(there):
            wrong += 1
            continue
        for when, number in there[covered[place] : result.n]:
            times[number] = result.read - when
        covered[place] = max(covered[place], result.n)
    return Covered(times, wrong)


def of_each(sent: Sequence[Transaction], results: Sequence[Result]) -> Covered:
    """Return how long it took until results told of transactions.

    A count is wrong if it is not that of the minute before the transaction, whichever of those that are next to it
    were taken first.
    """
    appended: defaultdict[str, list[int]] = defaultdict(list)
    by_number = {one.number: one for one in sent}
    for one in sorted(sent):
        appended[one.ip].append(one.appended)
    times: dict[int, float] = {}
    wrong = 0
    for result in results:
        one = by_number[result.number]
        times.setdefault(one.number, result.read - one.appended)
        of_ip, when = appended[one.ip], one.appended
        first = bisect.bisect_right(of_ip, when - SIZE_MS)
        most = bisect.bisect_right(of_ip, when) - first
        least = bisect.bisect_right(of_ip, when - APART_MS) - first + 1
        wrong += not least <= result.n <= most
    return Covered(times, wrong)
