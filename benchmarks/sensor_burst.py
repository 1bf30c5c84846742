"""A burst of readings: how rate in, rate out, lag, memory and latency go while the rate rises for a time.

    python -m benchmarks.sensor_burst --rate 4000 --burst 10

A Kafka of its own, a worker of the pipeline `sensors`, and a producer whose rate rises so many times for a time. Twice
a second is looked how many readings are in the topic, how many the worker has committed, what memory it has, and how
far its event clock is behind the time (`streamapp_operator_clock_seconds`): how old a reading is when it is judged.
Nothing may be lost: at the end each reading is judged, late, or a dead letter. The figures go to
``sensor-burst-….json`` and, with matplotlib, are drawn beside.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
from confluent_kafka import Consumer, TopicPartition

from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.embedded_kafka.ports import free_port

LOOK_S: Final = 0.5
#: Seconds that are shown before the burst and after it.
BEFORE_S: Final = 20.0
AFTER_S: Final = 30.0
#: Seconds that a worker may take to start, and to be done with what is left at the end.
STARTS_IN_S: Final = 120.0
ENDS_IN_S: Final = 300.0
#: Seconds that a rate in the plot is of: commits come once a second, and later under load.
RATE_SPAN_S: Final = 6
CLOCK: Final = re.compile(r'^streamapp_operator_clock_seconds\{operator="device_state".*\} (\S+)$', re.MULTILINE)
COUNTED: Final = re.compile(
    r'^streamapp_operator_records\{account="(received|matched|late|rejected)",operator="device_state".*\} (\S+)$',
    re.MULTILINE,
)


class Look:
    """What is seen from outside."""

    def __init__(self, bootstrap: str, partitions: int, pid: int, port: int) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "streamapp"})
        self._places = [TopicPartition("readings", number) for number in range(partitions)]
        self._worker = psutil.Process(pid)
        self._port = port

    def produced(self) -> int:
        """Return how many readings are in the topic."""
        return sum(self._consumer.get_watermark_offsets(place, timeout=10, cached=False)[1] for place in self._places)

    def committed(self) -> int:
        """Return how many of them the worker has committed."""
        return sum(max(0, place.offset) for place in self._consumer.committed(self._places, timeout=10))

    def metrics(self) -> str:
        """Return the worker's metrics; none while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            return ""

    def behind_s(self, metrics: str) -> float | None:
        """Return how far the event clocks are behind the time, in the middle of the partitions."""
        clocks = sorted(map(float, CLOCK.findall(metrics)))
        return None if not clocks else time.time() - clocks[len(clocks) // 2]

    def sample(self, begin: float) -> dict[str, float | None]:
        """Return how things are now."""
        produced, committed = self.produced(), self.committed()
        return {
            "at": round(time.monotonic() - begin, 2),
            "produced": produced,
            "committed": committed,
            "memory_mb": round(self._worker.memory_info().rss / 1e6, 1),
            "cpu_s": round(sum(self._worker.cpu_times()[:2]), 2),
            "behind_s": self.behind_s(self.metrics()),
        }


@contextlib.contextmanager
def program(
    arguments: Sequence[str], directory: Path, settings: dict[str, object]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of ours, which ends with the block."""
    variables = {**os.environ, **{f"STREAMAPP_{name}": str(value) for name, value in settings.items()}}
    with (directory / f"{arguments[1]}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments], env=variables, cwd=directory, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def measure(bootstrap: str, directory: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run a worker and a producer, and look at them."""
    port = free_port()
    settings: dict[str, object] = {
        "BROKER": bootstrap,
        "PIPELINES": "sensors",
        "DATADIR": directory / "data",
        "WEB_PORT": port,
        "PARTITIONS": options.partitions,
        "PROCESSING_GUARANTEE": options.guarantee,
    }
    seconds = BEFORE_S + options.burst_for + AFTER_S
    number = int(options.rate * (seconds + (options.burst - 1) * options.burst_for))
    load = [
        f"--readings={number}",
        f"--rate={options.rate}",
        f"--devices={options.devices}",
        f"--burst={options.burst}",
    ]
    load += [f"--burst-after={BEFORE_S}", f"--burst-for={options.burst_for}"]
    with program(["-m", "faust", "-A", "streamapp", "worker", "-l", "info"], directory, settings) as worker:
        _wait_until_ready(worker, port, directory / "faust.log")
        look = Look(bootstrap, options.partitions, worker.pid, port)
        begin, samples = time.monotonic(), [look.sample(time.monotonic())]
        with program(["-m", "streamapp", "produce", "-q", "--timeout=120", *load], directory, settings) as producer:
            over = begin + seconds + ENDS_IN_S
            while producer.poll() is None or look.committed() < look.produced():
                time.sleep(max(0.0, LOOK_S - (time.monotonic() - begin) % LOOK_S))
                samples.append(look.sample(begin))
                if time.monotonic() > over:
                    break
        counted: dict[str, int] = {}
        for account, count in COUNTED.findall(look.metrics()):
            counted[account] = counted.get(account, 0) + int(float(count))
    return {
        "rate": options.rate,
        "burst": options.burst,
        "burst_for_s": options.burst_for,
        "guarantee": options.guarantee,
        "sent": number,
        **counted,
        **summary(samples),
        "samples": samples,
    }


def summary(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the samples come to."""
    rates = [
        (later["produced"] - one["produced"], later["committed"] - one["committed"], later["at"] - one["at"])
        for one, later in zip(samples, samples[4:], strict=False)  # over two seconds: commits come once a second
    ]
    lags = [one["produced"] - one["committed"] for one in samples]
    behind = sorted(one["behind_s"] for one in samples if one["behind_s"] is not None)
    return {
        "most_in_per_s": round(max(sent / seconds for sent, _, seconds in rates)),
        "most_out_per_s": round(max(done / seconds for _, done, seconds in rates)),
        "most_lag": max(lags),
        "lag_at_end": lags[-1],
        "memory_mb": [samples[4]["memory_mb"], max(one["memory_mb"] for one in samples), samples[-1]["memory_mb"]],
        "behind_s": {"p50": round(behind[len(behind) // 2], 3), "most": round(behind[-1], 3)},
        "cpu_s": samples[-1]["cpu_s"],
    }


def _wait_until_ready(worker: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + STARTS_IN_S
    while time.monotonic() < end and worker.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    sys.exit(f"the worker is not ready: {log.read_text()[-2000:]}")


def draw(found: dict[str, Any], file: Path) -> None:
    """Draw what was measured, over time: a point each second."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    samples = found["samples"][::2]
    at = [one["at"] for one in samples]
    figure = Figure(figsize=(9, 8), layout="constrained")
    rates, lag, memory, behind = figure.subplots(4, 1, sharex=True)
    for name, label in (("produced", "in"), ("committed", "out")):
        spans = list(zip(samples, samples[RATE_SPAN_S:], strict=False))
        rates.plot(
            [later["at"] for _, later in spans],
            [(later[name] - one[name]) / (later["at"] - one["at"]) for one, later in spans],
            label=label,
        )
    rates.legend(frameon=False)
    lag.plot(at, [one["produced"] - one["committed"] for one in samples])
    memory.plot(at, [one["memory_mb"] for one in samples])
    behind.plot(at, [one["behind_s"] for one in samples])
    titles = (
        f"readings a second, over {RATE_SPAN_S} s",
        "lag: readings that are not committed",
        "memory of the worker, MB",
    )
    for axes, title in zip((rates, lag, memory, behind), (*titles, "event clock behind the time, s"), strict=True):
        axes.set_title(title, loc="left", fontsize=9)
        axes.set_ylim(bottom=0)
        axes.grid(color="#e2e8f0")
    behind.set_xlabel("seconds")
    # Text stays text, and the same numbers give the same file.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "streamapp"}):
        figure.savefig(file, metadata={"Date": None})


async def _run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedKafka(Path(directory) / "kafka") as kafka:
            found = await asyncio.to_thread(measure, kafka.bootstrap, Path(directory), options)
    file = options.results / f"sensor-burst-{options.rate}x{options.burst:g}.json"
    file.write_text(json.dumps(found), "utf-8")
    print(json.dumps({name: value for name, value in found.items() if name != "samples"}, indent=1))
    with contextlib.suppress(ImportError):
        draw(found, file.with_suffix(".svg"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A burst of readings.")
    parser.add_argument("--rate", type=int, default=4_000, help="readings a second before the burst and after it")
    parser.add_argument("--burst", type=float, default=10.0, help="how many times as many in the burst")
    parser.add_argument("--burst-for", type=float, default=30.0, help="seconds")
    parser.add_argument("--devices", type=int, default=2_000)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--guarantee", default="at_least_once")
    parser.add_argument("--results", type=Path, default=Path("docs/benchmarks"))
    asyncio.run(_run(parser.parse_args()))
