"""How long a click takes until its joined record can be read, while all rows of the table are scanned.

python -m benchmarks.scan_latency --to scan.json

One worker joins clicks at a steady rate with profiles, of which there are a million in four partitions. First nobody
scans; then a process of its own reads all rows in pages over HTTP, and once more with a condition that none fulfils.
Each click carries when it was produced, and is of the phase in which it was read.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.latency import produce_steadily
from benchmarks.machine import About
from benchmarks.percentiles import Percentiles
from benchmarks.risk_latency import wait_until_ready
from benchmarks.topics import producer
from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.embedded_kafka.ports import free_port

TOPICS: Final = ("user_profiles", "user_clicks", "joined_data", "unmatched_clicks", "dead_letters")
PARTITIONS: Final = 4
#: Seconds of load that do not count, and seconds without a scan.
LEAD_S: Final = 20.0
QUIET_S: Final = 30.0
#: Seconds that the rows may take to be in the table, and after which it is over if nothing comes.
FILLED_S: Final = 300.0
PATIENCE_S: Final = 10.0
PAGE_ROWS: Final = 1_000
#: A condition that no row fulfils.
NEVER: Final = "country == 'nowhere'"


class Page(msgspec.Struct):
    """What is needed of a page."""

    seen: int
    cursor: str | None


def pages(url: str) -> Iterator[Page]:
    """Read page by page."""
    cursor: str | None = ""
    while cursor is not None:
        with urllib.request.urlopen(url + (f"&cursor={cursor}" if cursor else ""), timeout=60) as answer:  # noqa: S310
            page = msgspec.json.decode(answer.read(), type=Page)
        yield page
        cursor = page.cursor


@dataclasses.dataclass(frozen=True)
class Scanned:
    """A scan: from when to when (s since 1970), and of how many rows."""

    name: str
    begin: float
    end: float
    rows: int


def scan(url: str, name: str, results: multiprocessing.Queue[Scanned]) -> None:
    """Read all rows."""
    begin = time.time()
    rows = sum(page.seen for page in pages(url))
    results.put(Scanned(name, begin, time.time(), rows))


def fill(bootstrap: str, rows: int) -> None:
    """Make the topics, and produce the profiles."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in TOPICS]).values():
        made.result(60)
    client = producer(bootstrap, linger_ms=5)
    for number in range(rows):
        if number % 10_000 == 0:
            client.flush()
        value = f'{{"user_id":"u{number}","name":"User {number}","country":"DE","plan":"free"}}'
        client.produce("user_profiles", value.encode(), f"u{number}".encode())
    client.flush()


def measure(bootstrap: str, directory: Path, options: argparse.Namespace) -> dict[str, object]:
    """Run a worker under load, with and without scans."""
    fill(bootstrap, options.rows)
    port = str(free_port())
    settings = {
        "BROKER": bootstrap, "DATADIR": str(directory / "data"), "WEB_PORT": port, "STORE": options.store,
        "PARTITIONS": str(PARTITIONS), "PROFILE_TTL": "0",
    }  # fmt: skip
    environment = {**os.environ, **{f"STREAMAPP_{name}": value for name, value in settings.items()}}
    with (directory / "worker.log").open("wb") as log:
        command = [sys.executable, "-m", "faust", "-A", "streamapp", "worker", "-l", "info"]
        worker = subprocess.Popen(command, env=environment, cwd=directory, stdout=log, stderr=log)
    try:
        wait_until_ready(worker, port, directory / "worker.log")
        table = f"http://127.0.0.1:{port}/api/tables/user_profiles"
        _wait_until_filled(table, options.rows)
        return _phases(bootstrap, table, options)
    finally:
        worker.terminate()
        worker.wait()


def _wait_until_filled(table: str, rows: int) -> None:
    end = time.monotonic() + FILLED_S
    while True:
        with urllib.request.urlopen(table, timeout=60) as answer:  # noqa: S310
            found = json.load(answer)["rows"]
        if found >= rows:
            return
        if time.monotonic() > end:
            sys.exit(f"the table has {found:,} rows of {rows:,}")
        time.sleep(1)


def _phases(bootstrap: str, table: str, options: argparse.Namespace) -> dict[str, object]:
    context = multiprocessing.get_context("spawn")
    load = context.Process(target=produce_steadily, args=(bootstrap, "user_clicks", options.rate, 1 << 30))
    load.start()
    times: list[tuple[float, float]] = []
    over = threading.Event()
    reading = threading.Thread(target=_read, args=(bootstrap, times, over))
    reading.start()
    try:
        time.sleep(LEAD_S)
        begin = time.time()
        time.sleep(QUIET_S)
        found = [Scanned("without", begin, time.time(), 0)]
        for name, query in (("all rows", ""), ("a condition", f"&where={quote(NEVER)}")):
            results: multiprocessing.Queue[Scanned] = context.Queue()
            scanning = context.Process(target=scan, args=(f"{table}/rows?limit={PAGE_ROWS}{query}", name, results))
            scanning.start()
            found.append(results.get(timeout=600))
            scanning.join()
    finally:
        load.terminate()
        load.join()
        over.set()
        reading.join()
    phases: dict[str, object] = {}
    for one in found:
        inside = [took for at, took in times if one.begin <= at <= one.end]
        seconds = round(one.end - one.begin, 2)
        phases[one.name] = {"rows": one.rows, "seconds": seconds, "ms": dataclasses.asdict(Percentiles.of(inside))}
    return {"rate": options.rate, "store": options.store, "phases": phases}


def _read(bootstrap: str, times: list[tuple[float, float]], over: threading.Event) -> None:
    """Read joined clicks, and keep when each was read (s) and how long it took (ms)."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "benchmark",
            "socket.nagle.disable": True,
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition("joined_data", partition, 0) for partition in range(PARTITIONS)])
    while not over.is_set():
        message = consumer.poll(PATIENCE_S)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        now = time.time_ns()
        sent_at = msgspec.json.decode(message.value() or b"{}")["click"]["sent_at"]
        times.append((now / 1e9, (now - sent_at) / 1e6))
    consumer.close()


async def run(options: argparse.Namespace) -> None:
    """Start Kafka, and write what is measured."""
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedKafka(Path(directory) / "kafka") as kafka:
            found = await asyncio.to_thread(measure, kafka.bootstrap, Path(directory), options)
    text = json.dumps({"about": dataclasses.asdict(About.now(COMMAND, Path(sys.executable).parent)), **found}, indent=1)
    options.to.write_text(text + "\n") if options.to else print(text)


COMMAND: Final = "python -m benchmarks.scan_latency"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, help="a file; else it is printed")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=2_000, help="clicks a second")
    parser.add_argument("--store", default="rocksdb://")
    asyncio.run(run(parser.parse_args()))
