"""How long a transaction takes from its append at the broker until a reader of committed records has its score.

python -m benchmarks.risk_latency --rate 2000 --seconds 30

The broker stamps transactions as it appends them (``message.timestamp.type=LogAppendTime``), and a score has the time
of its transaction; so each one read tells how long it took, by one clock, to a millisecond: what was appended within
a millisecond counts from its beginning.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.topics import producer
from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.embedded_kafka.ports import free_port

ACCOUNTS: Final = 2_000
#: Seconds of load that do not count: JVM and worker warm up.
LEAD_S: Final = 20.0
#: Seconds between two turns of the producer, which sends what has become due, together: as librdkafka and Java's do by
#: default, which wait so long for more. With a turn each ms, the producer alone had a processor of two.
TURN_S: Final = 0.005
LINGER_MS: Final = 0.5
#: Seconds that nothing comes after which it is over.
PATIENCE_S: Final = 10.0
STARTS_IN_S: Final = 120.0


def produce(bootstrap: str, rate: int, number: int) -> None:
    """Produce so many transactions, so many a second."""
    client, rng = producer(bootstrap, linger_ms=LINGER_MS), random.Random(7)
    begin, sent = time.monotonic(), 0
    while sent < number:
        due = min(number, int((time.monotonic() - begin) * rate))
        for order in range(sent, due):
            account = f"a{rng.randrange(ACCOUNTS)}"
            ip = f"10.0.{rng.randrange(8)}.{rng.randrange(250)}"
            amount = rng.randrange(1, 9_999) / 100
            value = f'{{"transaction_id":"t{order}","account":"{account}","ip":"{ip}","amount":{amount}}}'
            while True:
                try:
                    client.produce("transactions", value.encode(), account.encode())
                except BufferError:  # the broker does not take so many: it falls behind the rate
                    client.poll(0.05)
                else:
                    break
        sent = due
        client.poll(0)
        time.sleep(TURN_S)
    client.flush()


def read(bootstrap: str, topic: str, partitions: int, number: int) -> Iterator[tuple[int, float, bytes]]:
    """Yield of so many records when they were appended and read (ms), and their values."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "benchmark",
            "socket.nagle.disable": True,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    for _ in range(number):
        message = consumer.poll(PATIENCE_S)
        if message is None:
            break
        now = time.time() * 1000
        if message.error():
            raise KafkaException(message.error())
        yield message.timestamp()[1], now, message.value() or b""
    consumer.close()


def percentiles(times: list[float]) -> dict[str, float]:
    """Return what the times (ms) are in the middle, and up to where most are."""
    if not times:
        raise SystemExit(f"nothing that counts came within {PATIENCE_S:g} s: the rate is too high for this machine")
    times = sorted(times)
    found = {name: times[min(len(times) - 1, int(share * len(times)))] for name, share in SHARES.items()}
    return {name: round(value, 2) for name, value in found.items()} | {"most": round(times[-1], 2)}


SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


def create(bootstrap: str, partitions: int) -> None:
    """Make the topics."""
    stamped = {"message.timestamp.type": "LogAppendTime"}
    topics = [
        NewTopic("transactions", partitions, 1, config=stamped),
        NewTopic("accounts", partitions, 1),
        NewTopic("transaction_scores", partitions, 1),
    ]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics(topics).values():
        made.result(60)
    client = producer(bootstrap, linger_ms=5)
    for number in range(ACCOUNTS):
        client.produce("accounts", f'{{"account":"a{number}","limit":100,"opened":0}}'.encode(), f"a{number}".encode())
    client.flush()


def measure(bootstrap: str, directory: Path, options: argparse.Namespace) -> dict[str, object]:
    """Run a worker under load."""
    create(bootstrap, options.partitions)
    settings = {
        "BROKER": bootstrap,
        "PIPELINES": "risk",
        "PARTITIONS": str(options.partitions),
        "PROCESSING_GUARANTEE": options.guarantee,
        "STORE": options.store,
        "RISK_STEPS": options.steps,
        **({"RISK_MODEL": str(options.model)} if options.model else {}),
    }
    common = {f"STREAMAPP_{name}": value for name, value in settings.items()}
    first, *others = [
        {
            **common,
            "STREAMAPP_DATADIR": str(directory / f"data{number}"),
            "STREAMAPP_WEB_PORT": str(free_port()),
        }
        for number in range(options.workers)
    ]
    port = int(first["STREAMAPP_WEB_PORT"])
    return under_load("streamapp", first, directory, options, options.topic, lambda: _model(port), others)


def under_load(
    app: str,
    environment: Mapping[str, str],
    directory: Path,
    options: argparse.Namespace,
    topic: str,
    more: Callable[[], Mapping[str, float]] = dict,
    others: Sequence[Mapping[str, str]] = (),
) -> dict[str, object]:
    """Run the worker of a Faust app under load; return how long its results took, and `more` from before its end.

    The `others` are the environments of further workers beside it.
    """
    bootstrap = environment["STREAMAPP_BROKER"]
    command = [sys.executable, "-m", "faust", "-A", app, "worker", "-l", "info"]
    workers: list[subprocess.Popen[bytes]] = []
    try:
        for number, one in enumerate((environment, *others)):
            with (directory / f"worker{number}.log").open("wb") as log:
                env = {**os.environ, **one}
                workers.append(subprocess.Popen(command, env=env, cwd=directory, stdout=log, stderr=log))
        for number, (worker, one) in enumerate(zip(workers, (environment, *others), strict=True)):
            wait_until_ready(worker, one["STREAMAPP_WEB_PORT"], directory / f"worker{number}.log")
        number = int(options.rate * (LEAD_S + options.seconds))
        context = multiprocessing.get_context("spawn")
        load = context.Process(target=produce, args=(bootstrap, options.rate, number))
        load.start()
        pids = [worker.pid for worker in workers]
        return {**_latencies(bootstrap, topic, options, number, pids), **more()}
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def wait_until_ready(worker: subprocess.Popen[bytes], port: str, log: Path) -> None:
    """Wait until a worker is ready; exit with the end of its log if it does not get so."""
    end = time.monotonic() + STARTS_IN_S
    while time.monotonic() < end:
        if worker.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"the worker is not ready: {log.read_text()[-2000:]}")


def _latencies(
    bootstrap: str, topic: str, options: argparse.Namespace, number: int, pids: Sequence[int]
) -> dict[str, object]:
    times: list[float] = []
    unscored, came, since, now, cpu = 0, 0, 0.0, 0.0, 0.0
    for appended, now, value in read(bootstrap, topic, options.partitions, number):
        came += 1
        since = since or now
        if now - since < LEAD_S * 1000:
            continue
        cpu = cpu or _cpu_s(pids)  # once: the reader must not fall behind
        times.append(now - appended)
        unscored += b'"score":null' in value
    used, seconds = _cpu_s(pids) - cpu, max(0.001, (now - since) / 1000 - LEAD_S)
    return {
        "rate": options.rate,
        "guarantee": options.guarantee,
        "records": number,
        "missing": number - came,
        "unscored": unscored,
        **percentiles(times),
        "worker_cpu_share": round(used / seconds, 3),
        "worker_cpu_us": round(used / max(1, len(times)) * 1e6, 1),
    }


def _model(port: int) -> dict[str, float]:
    """Return how many rows a run of the model had, how long one took, and up to where (ms) 99 of 100 did."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
    seconds = {(one.name, one.labels.get("le")): one.value for one in families["streamapp_risk_model_seconds"].samples}
    (rows,) = [one.value for one in families["streamapp_risk_model_rows"].samples if one.name.endswith("_total")]
    runs, total = (seconds[f"streamapp_risk_model_seconds_{name}", None] for name in ("count", "sum"))
    if not runs:
        return {}
    p99 = min(float(bound) for (_, bound), count in seconds.items() if bound and count >= 0.99 * runs)
    return {"rows_a_run": round(rows / runs, 1), "run_ms": round(1000 * total / runs, 3), "run_p99_ms": 1000 * p99}


def _cpu_s(pids: Sequence[int]) -> float:
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def arguments(text: str | None) -> argparse.ArgumentParser:
    """Return the parser of what both such programs take."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--rate", type=int, default=2_000, help="records a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="that count")
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--guarantee", default="at_least_once")
    parser.add_argument("--store", default="rocksdb://")
    return parser


async def run(
    measured: Callable[[str, Path, argparse.Namespace], Mapping[str, object]], options: argparse.Namespace
) -> None:
    """Start Kafka, and print what is measured."""
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedKafka(Path(directory) / "kafka") as kafka:
            print(json.dumps(await asyncio.to_thread(measured, kafka.bootstrap, Path(directory), options)))


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--workers", type=int, default=1, help="that share the partitions")
    parser.add_argument("--steps", default="two", help="or one, for one partition: STREAMAPP_RISK_STEPS")
    parser.add_argument("--model", type=Path, help="an ONNX file (default: the one in the package)")
    parser.add_argument(
        "--topic", default="transaction_scores", help="that is read; transactions: without a worker between"
    )
    asyncio.run(run(measure, parser.parse_args()))
