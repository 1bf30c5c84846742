"""What it costs to be looked at: how fast clicks are joined while pages are open, and while nobody looks.

python -m benchmarks.watched --to watched.json

The same clicks are joined again and again by a new worker, by turns with and without who looks at it: `--tabs` pages,
each in a browser of its own so that the worker has a stream for each, and a scrape of ``/metrics`` each second, as
Prometheus makes it. Browsers are elsewhere as a rule; here they run with the lowest priority, and still take what they
take of the machine. With `--streams` what the pages read is read by a program that draws nothing: that is what the
worker has to do with it. Wants the extra dev, and chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPException
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import psutil
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, sync_playwright

from benchmarks.machine import About
from benchmarks.peers import Streamapp
from benchmarks.runner import Run, Runner, median
from benchmarks.topics import Topics
from benchmarks.workload import Workload
from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.embedded_kafka.ports import free_port

__all__ = ["Look", "Watched", "looking", "measure"]

#: Seconds between two scrapes, and that a look at the worker may take.
EVERY_S: Final = 1.0
PATIENCE_S: Final = 60.0
#: The lowest priority.
NICE: Final = 19
OPEN_METRICS: Final = "application/openmetrics-text; version=1.0.0"
#: Counts the snapshots that a page has shown.
COUNT: Final = """() => {
  globalThis.seen = 0;
  const observer = new MutationObserver(() => (globalThis.seen += 1));
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-snapshot"] });
}"""


@dataclasses.dataclass(frozen=True)
class Look:
    """How a worker was looked at.

    Args:
        snapshots: that each page has shown, or each stream brought.
        scrapes: of its metrics.
        slowest_ms: that a scrape took.
    """

    snapshots: list[int]
    scrapes: int
    slowest_ms: float


@dataclasses.dataclass(frozen=True)
class Watched:
    """Runs by turns, and how the workers of some of them were looked at."""

    without: list[Run[Workload]]
    watched: list[Run[Workload]]
    looks: list[Look]

    def __str__(self) -> str:
        one, other = median(self.without), median(self.watched)
        return (
            f"watched {other.per_s:,.0f}/s of {one.per_s:,.0f}/s: {other.per_s / one.per_s:.1%}, "
            f"steady {other.steady_per_s / one.steady_per_s:.1%}, CPU a record {other.cpu_us / one.cpu_us:.1%}"
        )


def measure(
    runner: Runner, streamapp: Streamapp, load: Workload, rounds: int, tabs: int, streams: int = 0, nice: int = NICE
) -> Watched:
    """Join the clicks so often with and without pages, streams and scrapes, which have a priority."""
    found = Watched([], [], [])
    runner.warm_up(streamapp, load)
    for number in range(rounds):
        for watched in (False, True) if number % 2 == 0 else (True, False):
            if watched:
                with looking(tabs, streams, nice) as (port, looks):
                    peer = dataclasses.replace(streamapp, name="watched", settings={"STREAMAPP_WEB_PORT": f"{port}"})
                    found.watched.append(runner.run(peer, load))
                found.looks.extend(looks)
                print(looks[0], flush=True)
            else:
                found.without.append(runner.run(streamapp, load))
    return found


@contextmanager
def looking(tabs: int, streams: int = 0, nice: int = NICE) -> Iterator[tuple[int, list[Look]]]:
    """Look at the worker that will have a port, until the end of the `with`; then the list has how it was looked at."""
    context, port = multiprocessing.get_context("spawn"), free_port()
    results: multiprocessing.Queue[Look] = context.Queue()
    ready, over = context.Event(), context.Event()
    told = (f"http://127.0.0.1:{port}", tabs, streams, nice, ready, over, results)
    process = context.Process(target=look, args=told)
    process.start()
    try:
        if not ready.wait(PATIENCE_S):
            sys.exit("chromium does not start: apt-get install chromium")
        looks: list[Look] = []
        yield port, looks
        over.set()
        looks.append(results.get(timeout=PATIENCE_S))
    finally:
        over.set()
        process.join(PATIENCE_S)
        if process.is_alive():
            process.kill()


def look(
    url: str, tabs: int, streams: int, nice: int, ready: Event, over: Event, results: multiprocessing.Queue[Look]
) -> None:
    """Open the page in so many tabs, and so many streams, once a worker answers, and scrape its metrics."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        pages = [browser.new_context().new_page() for _ in range(tabs)]
        own = psutil.Process()
        for process in (own, *own.children(recursive=True)):
            process.nice(nice)
        ready.set()
        if _answers(url, over):
            counts = [Counter[str]() for _ in range(streams)]
            for count in counts:
                threading.Thread(target=_listen, args=(url, count), daemon=True).start()
            times = list(_looks(url, pages, over))
            shown: list[int] = [page.evaluate("() => globalThis.seen ?? 0") for page in pages]
            brought = [count["worker"] for count in counts]
            results.put(Look([*shown, *brought], len(times), round(max(times, default=0.0), 1)))
        browser.close()


def _answers(url: str, over: Event) -> bool:
    """Wait until the worker answers; return whether it does before it is over."""
    while not over.wait(0.1):
        try:
            with urllib.request.urlopen(f"{url}/health/live", timeout=PATIENCE_S):  # noqa: S310
                return True
        except OSError:
            continue
    return False


def _listen(url: str, count: Counter[str]) -> None:
    """Read what a page reads, until the worker ends, and count the events."""
    with suppress(OSError, HTTPException), urllib.request.urlopen(f"{url}/api/live", timeout=PATIENCE_S) as events:  # noqa: S310
        for line in events:
            if line.startswith(b"event: "):
                count[line.removeprefix(b"event: ").decode().strip()] += 1


def _looks(url: str, pages: Sequence[Page], over: Event) -> Iterator[float]:
    """Open the pages, and give how long (ms) each scrape takes."""
    with suppress(PlaywrightError):  # the worker may have ended
        for page in pages:
            page.goto(f"{url}/dashboard/")
            page.evaluate(COUNT)
    scrape = urllib.request.Request(f"{url}/metrics", headers={"Accept": OPEN_METRICS})  # noqa: S310
    while True:
        begin = time.monotonic()
        try:
            with urllib.request.urlopen(scrape, timeout=PATIENCE_S) as answer:  # noqa: S310
                answer.read()
        except OSError:  # the worker has ended
            return
        took = time.monotonic() - begin
        yield took * 1000
        if over.wait(max(0.0, EVERY_S - took)):
            return


async def run(options: argparse.Namespace) -> None:
    """Start Kafka, and write what is measured."""
    bin_ = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as directory:
        async with EmbeddedKafka(Path(directory) / "kafka") as kafka:
            topics = Topics(kafka.bootstrap)
            topics.warm_up()
            runner = Runner(topics, kafka.pid, Path(directory))
            load = Workload(options.users, options.clicks)
            many = (options.rounds, options.tabs, options.streams)
            found = await asyncio.to_thread(measure, runner, Streamapp(bin_), load, *many)
    print(found, flush=True)
    if options.to:
        about = dataclasses.asdict(About.now(COMMAND, bin_))
        options.to.write_text(json.dumps({"about": about, **dataclasses.asdict(found)}, indent=1) + "\n")


COMMAND: Final = "python -m benchmarks.watched"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, help="a file for all figures")
    parser.add_argument("--clicks", type=int, default=2_000_000, help="in each run")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tabs", type=int, default=5)
    parser.add_argument("--streams", type=int, default=0)
    asyncio.run(run(parser.parse_args()))
