"""Run the benchmarks: ``make bench BENCH=--help``."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import format_page, page, plots, tuning_page, tuning_plots
from benchmarks.options import Options, parse
from benchmarks.parts import PARTS
from benchmarks.results import Results, save
from benchmarks.runner import PeerError, Runner
from benchmarks.topics import Topics
from streamapp.embedded_kafka import BrokerError, EmbeddedKafka


def main(options: Options) -> None:
    """Run the parts that are asked for, and make the pages of all that was ever measured."""
    # SIGTERM must stop the programs that were started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    directory = options.docs / "benchmarks"
    if options.parts:
        _run(options, directory)
    results = Results.load(directory)
    plots.draw(results, directory)
    (options.docs / "benchmarks.md").write_text(page.render(results), "utf-8")
    if results.tuning:
        tuning_plots.draw(results.tuning, directory)
    (options.docs / "tuning.md").write_text(tuning_page.render(results.tuning), "utf-8")
    if results.formats:
        format_page.insert(options.docs / "formats.md", results.formats)


def _run(options: Options, results: Path) -> None:
    options.cache.mkdir(parents=True, exist_ok=True)
    # The loop runs only to start and to stop Kafka, so that Ctrl-C is heard at once in between.
    with tempfile.TemporaryDirectory(dir=options.cache, prefix="kafka-") as directory, asyncio.Runner() as loop:
        kafka = EmbeddedKafka(Path(directory))
        try:
            loop.run(kafka.start())
            topics = Topics(kafka.bootstrap)
            topics.warm_up()
            runner = Runner(topics, kafka.pid, options.cache)
            for part in options.parts:
                print(f"-- {part}", flush=True)
                try:
                    save(results, part, PARTS[part](runner, options))
                except PeerError as exc:
                    print(f"{part} keeps its earlier figures: {exc}", flush=True)
        except BrokerError as exc:
            sys.exit(str(exc))
        finally:
            loop.run(kafka.stop())


if __name__ == "__main__":
    main(parse(sys.argv[1:]))
