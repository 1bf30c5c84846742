"""Run the benchmarks: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from benchmarks.peers import PEERS, Peer, Streamapp, Unavailable
from benchmarks.runner import Bench, PeerError
from benchmarks.topics import Topics
from benchmarks.workload import Workload
from streamapp.broker import EmbeddedKafka

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Parse the command line and run the parts."""
    parser = argparse.ArgumentParser(prog="make bench BENCH=...")
    parser.add_argument("--clicks", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", help="comma list; default all")
    parser.add_argument("--streamapp", type=Path, default=ROOT / ".venv/bin", help="bin of the venv of streamapp")
    parser.add_argument("--cache", type=Path, default=ROOT / ".bench")
    options = parser.parse_args()
    asyncio.run(run(options))


async def run(options: argparse.Namespace) -> None:
    """Run the benchmarks on a Kafka of their own."""
    known: list[Peer] = [Streamapp(options.streamapp.absolute()), *PEERS]
    wanted = options.peers.split(",") if options.peers else [peer.name for peer in known]
    peers = []
    for peer in known:
        if peer.name in wanted:
            try:
                peer.install(options.cache)
                peers.append(peer)
            except Unavailable as exc:
                print(f"{peer.title} is left out: {exc}")
    options.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.cache, prefix="kafka-") as directory:
        async with EmbeddedKafka(Path(directory)) as kafka:
            bench = Bench(Topics(kafka.bootstrap), kafka.pid, options.cache)
            for number in range(options.rounds):
                for peer in peers if number % 2 == 0 else reversed(peers):
                    workload = Workload(options.users, options.clicks // peer.slower)
                    try:
                        run = bench.run(peer, workload)
                    except PeerError as exc:
                        print(exc)
                        continue
                    f = run.figures
                    print(
                        f"{peer.title:30} {f.per_s:9,.0f}/s steady {f.steady_per_s:9,.0f}/s start {f.start_up:5.2f} s "
                        f"all {f.seconds:6.2f} s cpu {f.cpu_us:6.2f} us steady {f.steady_cpu_us:6.2f} broker {f.broker_us:5.2f} us "
                        f"peak {f.peak_mb:6.0f} MB {run.check}",
                        flush=True,
                    )


main()
