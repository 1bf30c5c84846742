"""The command line of the benchmarks: `parse`."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.knobs import KNOBS
from benchmarks.peers import PAIRING, PEERS, PairingStreamapp, Peer, Streamapp
from benchmarks.results import Part
from benchmarks.risk_peers import Counting, counting
from benchmarks.windowing import WINDOWING, WindowingStreamapp
from benchmarks.windows import Kind

__all__ = ["Options", "parse"]

ROOT: Final = Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True)
class Options:
    """What was asked for.

    Args:
        parts: to run.
        settings: to vary, of the part `tuning`.
        clicks: to join in each run, or records of two streams together, or transactions; slow peers get fewer.
        users: rows of the table, or keys of the streams.
        most_users: up to which the table is made to grow.
        rounds: how often everything is run.
        lone_clicks: to time for each peer.
        steady: seconds of the steady load.
        peers: programs to compare, of which streamapp is the first if it is one of them.
        pairing: the same, of those that join two streams.
        windowing: the same, of those that aggregate in windows, by the kind of these.
        counting: the same, of those that count transactions of IP addresses.
        streamapp: the app of this project.
        cache: where venvs and builds are kept.
        docs: where the page, the plots and the results go.
        command: that asked for all this.
    """

    parts: Sequence[Part]
    settings: Sequence[str]
    clicks: int
    users: int
    most_users: int
    rounds: int
    lone_clicks: int
    steady: float
    peers: Sequence[Peer]
    pairing: Sequence[Peer]
    windowing: Mapping[Kind, Sequence[Peer]]
    counting: Sequence[Counting]
    streamapp: Streamapp
    cache: Path
    docs: Path
    command: str


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; ends the process with one line if that is not possible."""
    given = _parser().parse_args(arguments)
    streamapp = Streamapp(given.streamapp.absolute())
    return Options(
        parts=[Part(part) for part in given.only],
        settings=given.settings,
        clicks=given.clicks,
        users=given.users,
        most_users=given.most_users,
        rounds=given.rounds,
        lone_clicks=given.lone_clicks,
        steady=given.steady,
        peers=[peer for peer in (streamapp, *PEERS) if peer.name in given.peers],
        pairing=[peer for peer in (PairingStreamapp(streamapp.bin), *PAIRING) if peer.name in given.peers],
        windowing={
            kind: [peer for peer in (WindowingStreamapp(streamapp.bin, kind=kind), *peers) if peer.name in given.peers]
            for kind, peers in WINDOWING.items()
        },
        counting=[peer for peer in counting(streamapp.bin) if peer.name in given.peers],
        streamapp=streamapp,
        cache=given.cache.absolute(),
        docs=given.docs,
        command=f'make bench BENCH="{shlex.join(arguments)}"' if arguments else "make bench",
    )


def _parser() -> argparse.ArgumentParser:
    kinds = itertools.chain(*WINDOWING.values())
    peers: Sequence[Peer] = (Streamapp(Path()), *PEERS, *PAIRING, *kinds, *counting(Path()))
    parser = argparse.ArgumentParser(
        prog='make bench BENCH="…"',
        description="The same join here and in other programs, side by side, into docs/benchmarks.md.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--only", type=_some(list(Part)), default=",".join(Part), help="parts; '' = make the page only")
    knobs = [knob.name for knob in KNOBS]
    parser.add_argument("--settings", type=_some(knobs), default=",".join(knobs), help="to vary, of the part tuning")
    names = list(dict.fromkeys(peer.name for peer in peers))
    parser.add_argument("--peers", type=_some(names), default=",".join(names), help="programs")
    parser.add_argument(
        "--clicks", type=int, default=1_000_000, help="clicks to join in each run; records of two streams; transactions"
    )
    parser.add_argument("--users", type=int, default=10_000, help="rows of the table; keys of the streams")
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
