"""Inject faults into workers on a real Kafka, and count what is lost or doubled."""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import tempfile
from pathlib import Path

from broker import Broker
from clock import Clock
from faults import FAULTS, clock_jumps, meets
from record import Record
from redis_server import RedisServer
from report import line, page, table
from rounds import WORKLOADS, Outcome, Round

from streamapp.settings import Guarantee

DOCS = Path(__file__).parents[2] / "docs"
GUARANTEES = [guarantee.value for guarantee in Guarantee]
#: Those that can be injected here.
POSSIBLE = [name for name, fault in FAULTS.items() if fault is not clock_jumps or Clock.library()]


def main(arguments: list[str]) -> int:
    """Play the rounds, tell of each, and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__, epilog=f"faults: {', '.join(POSSIBLE)}")
    parser.add_argument(
        "--fault", choices=POSSIBLE, metavar="NAME", action="append", help="only this one; may be given several times"
    )
    parser.add_argument("--guarantee", choices=GUARANTEES, action="append", help="only this one")
    parser.add_argument("--pipeline", choices=WORKLOADS, action="append", help="only this one")
    parser.add_argument("--rounds", type=int, default=1, help="of each fault with each guarantee (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each further round has the next one")
    parser.add_argument("--keep", type=Path, help="directory for the logs and data of the workers, which are then kept")
    parser.add_argument("--record", action="store_true", help="into docs/reliability.md; what is there is skipped")
    options = parser.parse_args(arguments)
    # SIGTERM must stop the processes that were started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    record = Record(DOCS / "reliability" / "rounds.jsonl")
    seeds = range(options.seed, options.seed + options.rounds)
    chosen = itertools.product(
        seeds, options.pipeline or WORKLOADS, options.guarantee or GUARANTEES, options.fault or POSSIBLE
    )
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary, Broker(Path(temporary) / "kafka") as broker:
        directory = options.keep or Path(temporary)
        redis = RedisServer(Path(temporary) / "redis")
        redis.start()
        try:
            for seed, pipeline, guarantee, fault in chosen:
                if not meets(pipeline, fault) or (options.record and record.has(pipeline, fault, guarantee, seed)):
                    continue
                played = Round(FAULTS[fault], seed, guarantee, pipeline, ["rocksdb://", "memory://", redis.url])
                outcome = played.play(broker, directory / f"{pipeline}-{fault}-{guarantee}-{seed}")
                print(line(outcome), flush=True)
                outcomes.append(outcome)
                if options.record:
                    record.add(outcome)
        except KeyboardInterrupt:
            print(f"interrupted after {len(outcomes)} rounds")
        finally:
            redis.kill()
    if options.record:
        (DOCS / "reliability.md").write_text(page(record.outcomes), "utf-8")
    print(f"\n{table(outcomes)}")
    return int(not all(outcome.passed for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
