"""The command line of the benchmarks: ``make bench BENCH="--help"``."""

from __future__ import annotations

import argparse
import asyncio
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import page, plots
from benchmarks.parts import PARTS, Options
from benchmarks.peers import PEERS, Peer, Streamapp
from benchmarks.results import Part, Results, save
from benchmarks.runner import PeerError, Runner
from benchmarks.topics import Topics
from streamapp.broker import BrokerError, EmbeddedKafka

ROOT = Path(__file__).parent.parent


def main(arguments: Sequence[str]) -> None:
    """Run the parts that are asked for, and make the page of all that was ever measured."""
    given = _parser().parse_args(arguments)
    # SIGTERM must stop the programs that were started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if given.only:
        _run(given, _options(given, arguments))
    results = Results.load(given.docs / "benchmarks")
    plots.draw(results, given.docs / "benchmarks")
    (given.docs / "benchmarks.md").write_text(page.render(results), "utf-8")


def _run(given: argparse.Namespace, options: Options) -> None:
    options.cache.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=options.cache, prefix="kafka-") as directory,
        asyncio.Runner() as loop,
    ):
        kafka = EmbeddedKafka(Path(directory))
        try:
            loop.run(kafka.start())
            topics = Topics(kafka.bootstrap)
            topics.warm_up()
            runner = Runner(topics, kafka.pid, options.cache)
            for part in given.only:
                print(f"-- {part}", flush=True)
                try:
                    save(given.docs / "benchmarks", part, PARTS[part](runner, options))
                except PeerError as exc:
                    print(f"{part} keeps its earlier figures: {exc}", flush=True)
        except BrokerError as exc:
            sys.exit(str(exc))
        finally:
            loop.run(kafka.stop())


def _options(given: argparse.Namespace, arguments: Sequence[str]) -> Options:
    streamapp = Streamapp(given.streamapp.absolute())
    return Options(
        clicks=given.clicks,
        users=given.users,
        most_users=given.most_users,
        rounds=given.rounds,
        lone_clicks=given.lone_clicks,
        steady=given.steady,
        peers=[peer for peer in (streamapp, *PEERS) if peer.name in given.peers],
        streamapp=streamapp,
        cache=given.cache.absolute(),
        command=f'make bench BENCH="{shlex.join(arguments)}"' if arguments else "make bench",
    )


def _parser() -> argparse.ArgumentParser:
    peers: Sequence[Peer] = (Streamapp(Path()), *PEERS)
    parser = argparse.ArgumentParser(
        prog='make bench BENCH="…"',
        description="The same join here and in other programs, side by side, into docs/benchmarks.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--only", type=_some(list(Part)), default=",".join(Part), help="parts; '' = make the page only")
    names = [peer.name for peer in peers]
    parser.add_argument("--peers", type=_some(names), default=",".join(names), help="programs")
    parser.add_argument("--clicks", type=int, default=1_000_000, help="clicks to join in each run")
    parser.add_argument("--users", type=int, default=10_000, help="rows of the table")
    parser.add_argument("--most-users", type=int, default=10_000_000, help="of the part that makes the table grow")
    parser.add_argument("--rounds", type=int, default=3, help="how often all is run; the page has the medians")
    parser.add_argument("--lone-clicks", type=int, default=200, help="clicks to time for each peer")
    parser.add_argument("--steady", type=float, default=10.0, help="seconds of the steady load")
    parser.add_argument("--streamapp", type=Path, default=ROOT / ".venv/bin", help="bin of a venv with streamapp")
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench", help="for the peers' venvs, builds and logs")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where page, plots and results go")
    return parser


def _some(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        chosen = [name for name in text.split(",") if name]
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
        return [name for name in known if name in chosen]

    return parse


if __name__ == "__main__":
    main(sys.argv[1:])
