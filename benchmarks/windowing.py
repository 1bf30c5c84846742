"""The programs that aggregate transactions in windows, by the kind of the windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from benchmarks.peers import PROGRAMS, Job, KafkaStreams, Peer, PythonProgram, Streamapp
from benchmarks.runner import Run
from benchmarks.windows import GAP, GRACE, SIZE, Kind, Windows

__all__ = ["WINDOWING", "WindowingStreamapp", "per_transaction"]

#: The windows, as the programs read them.
WINDOWED: Final = {"SIZE_MS": f"{SIZE}", "GAP_MS": f"{GAP}", "GRACE_MS": f"{GRACE}"}


@dataclasses.dataclass
class WindowingProgram(PythonProgram):
    """A Python program of ours.

    Args:
        kind: of the windows.
    """

    program: str = "windows.py"
    kind: Kind = Kind.TUMBLING

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the job and the windows."""
        return {**super().environment(job), **WINDOWED, "WINDOW": self.kind}


@dataclasses.dataclass
class WindowingKafkaStreams(KafkaStreams):
    """The Java program.

    Args:
        kind: of the windows.
    """

    main: str = "peer.Windows"
    kind: Kind = Kind.TUMBLING

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the job, the windows and when they give results."""
        # Until a commit its cache holds back all changes, by default for 30 s, also from what gives final results.
        own = {"WINDOW": self.kind, "EMISSION": "updates" if self.updates else "final", "COMMIT_MS": "1000"}
        return {**super().environment(job), **WINDOWED, **own}


@dataclasses.dataclass(frozen=True)
class WindowingStreamapp(Streamapp):
    """A program of a few lines with this project's library.

    Args:
        kind: of the windows.
    """

    kind: Kind = Kind.TUMBLING

    def command(self, job: Job) -> list[str]:
        """Give the command that starts a worker."""
        return [f"{self.bin}/faust", "-A", "windows", "worker", "-l", "info"]

    def environment(self, job: Job) -> dict[str, str]:
        """Give the settings, the topics by their full names, and where the program is."""
        settings = super().environment(job)
        for name in ("STREAMAPP_TOPIC_PREFIX", "STREAMAPP_JOINED_TOPIC"):
            settings.pop(name)
        topics = {"TRANSACTIONS": f"{job.prefix}transactions", "RESULTS": job.joined}
        return {**settings, **topics, **WINDOWED, "WINDOW": self.kind, "PYTHONPATH": f"{PROGRAMS / 'streamapp'}"}


def _kafka_streams(kind: Kind) -> tuple[Peer, ...]:
    name, title = "kafka_streams", "Kafka Streams"
    return (
        WindowingKafkaStreams(name, title, kind=kind),
        WindowingKafkaStreams(f"{name}_2", f"{title}, 2 threads", threads=2, kind=kind),
    )


def _quix_streams(kind: Kind) -> Peer:
    return WindowingProgram("quix_streams", "Quix Streams", "RocksDB and changelog", kind=kind)


def _bytewax(kind: Kind) -> Peer:
    keeps = "memory; nothing is left (its recovery is off)"
    return WindowingProgram("bytewax", "Bytewax", keeps, launcher=("-m", "bytewax.run"), kind=kind)


WINDOWING: Final[Mapping[Kind, tuple[Peer, ...]]] = MappingProxyType(
    {
        Kind.TUMBLING: (
            *_kafka_streams(Kind.TUMBLING),
            WindowingKafkaStreams("kafka_streams_updates", "Kafka Streams, each change", updates=True),
            WindowingProgram(
                "pathway", "Pathway, each change", "memory; nothing is left (its persistence is off)", updates=True
            ),
            _bytewax(Kind.TUMBLING),
            _quix_streams(Kind.TUMBLING),
            WindowingProgram(
                "faust",
                "untouched Faust, each change",
                "memory and changelog",
                slower=10,
                arguments=("worker", "--without-web", "-l", "info"),
                updates=True,
            ),
        ),
        Kind.SESSION: (*_kafka_streams(Kind.SESSION), _bytewax(Kind.SESSION), _quix_streams(Kind.SESSION)),
        Kind.LOOK_BACK: (*_kafka_streams(Kind.LOOK_BACK), _quix_streams(Kind.LOOK_BACK)),
        Kind.ENRICH: (),
    }
)
"""All but streamapp, by the kinds of windows that they have."""

UPDATING: Final = frozenset(peer.name for peers in WINDOWING.values() for peer in peers if peer.updates)
"""Names of those that give a result for each change."""


def per_transaction(run: Run[Windows]) -> Run[Windows]:
    """Return a run with figures a transaction instead of a result.

    Results come in bursts, and final ones not before a first window is over: the rate from the first result to the last
    is that of the transactions without those that are read before (`Windows.lead`).
    """
    load, figures = run.workload, run.figures
    share = load.transactions / figures.records
    read = 1.0 if run.peer in UPDATING else 1.0 - load.lead
    return dataclasses.replace(
        run,
        figures=dataclasses.replace(
            figures,
            records=load.transactions,
            per_s=figures.per_s * share * read,
            steady_per_s=figures.steady_per_s * share,
            cpu_us=figures.cpu_us / share,
            steady_cpu_us=figures.steady_cpu_us / share,
            broker_us=figures.broker_us / share,
        ),
    )
