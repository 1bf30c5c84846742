"""The programs that count the transactions of IP addresses, as risk control needs it; ours does all else, too."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final, Protocol

from benchmarks.peers import (
    PROGRAMS,
    Job,
    KafkaStreams,
    Peer,
    PythonProgram,
    Streamapp,
    UnavailableError,
    exactly_once,
    run_once,
)
from benchmarks.risk_load import GRACE_MS, SIZE_MS, TRANSACTIONS, Told

__all__ = ["Counting", "CountingStreamapp", "RiskStreamapp", "counting"]

#: What is counted, as the programs read it.
COUNTED: Final = {"SIZE_MS": f"{SIZE_MS}", "GRACE_MS": f"{GRACE_MS}"}


class Counting(Peer, Protocol):
    """A program that counts transactions."""

    @property
    def told(self) -> Told:
        """What its results tell."""

    def results(self, job: Job) -> str:
        """Give the name of the topic of its results."""


def _counted(job: Job) -> Mapping[str, str]:
    return {**COUNTED, "TRANSACTIONS": f"{job.prefix}{TRANSACTIONS}"}


class _Minutes:
    told: ClassVar[Told] = Told.MINUTES

    def results(self, job: Job) -> str:
        """Give the name of the topic of its results."""
        return job.joined


@dataclasses.dataclass
class CountingKafkaStreams(_Minutes, KafkaStreams):
    """The Java program."""

    main: str = "peer.Counts"

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the job and what is counted."""
        return {**super().environment(job), **_counted(job), "GAP_MS": "0"}  # which its class of windows reads


@dataclasses.dataclass
class Spark(_Minutes, PythonProgram):
    """The Python program on Structured Streaming, whose connector to Kafka Maven brings."""

    program: str = "counts.py"
    jars: Path = Path("jars")

    def install(self, cache: Path) -> None:
        """Make the venv, and get the connector."""
        if missing := [program for program in ("mvn", "java") if shutil.which(program) is None]:
            raise UnavailableError(f"{' and '.join(missing)} not found")
        super().install(cache)
        pom = PROGRAMS / self.name / "pom.xml"
        self.jars = cache / self.name / "jars"
        got = self.jars / "pom.xml"
        if got.exists() and got.read_text() == pom.read_text():
            return
        shutil.rmtree(self.jars, ignore_errors=True)
        arguments = ["--file", f"{pom}", "dependency:copy-dependencies", f"-DoutputDirectory={self.jars}"]
        run_once("mvn", "-q", "--batch-mode", *arguments)
        shutil.copy(pom, got)

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the job, what is counted, and where the connector is."""
        jars = ",".join(sorted(map(str, self.jars.glob("*.jar"))))
        return {**super().environment(job), **_counted(job), "JARS": jars}


@dataclasses.dataclass(frozen=True)
class CountingStreamapp(Streamapp):
    """A program of a few lines with this project's library.

    Args:
        told: what its results tell.
    """

    told: Told = Told.MINUTES

    def results(self, job: Job) -> str:
        """Give the name of the topic of its results."""
        return job.joined

    def command(self, job: Job) -> list[str]:
        """Give the command that starts a worker."""
        return [f"{self.bin}/faust", "-A", "counts", "worker", "-l", "info"]

    def environment(self, job: Job) -> dict[str, str]:
        """Give the settings, the topics by their full names, and where the program is."""
        settings = super().environment(job)
        for name in ("STREAMAPP_TOPIC_PREFIX", "STREAMAPP_JOINED_TOPIC"):
            settings.pop(name)
        own = {"RESULTS": job.joined, "COUNTED": self.told, "PYTHONPATH": f"{PROGRAMS / 'streamapp'}"}
        return {**settings, **_counted(job), **own}


@dataclasses.dataclass(frozen=True)
class RiskStreamapp(Streamapp):
    """The pipeline ``risk``: all features of account and IP, the model, the rules and the decision."""

    told: ClassVar[Told] = Told.SCORES

    def results(self, job: Job) -> str:
        """Give the name of the topic of its results."""
        return f"{job.prefix}transaction_scores"

    def environment(self, job: Job) -> dict[str, str]:
        """Give the settings."""
        settings = super().environment(job)
        settings.pop("STREAMAPP_JOINED_TOPIC")
        return {**settings, "STREAMAPP_PIPELINES": "risk", "STREAMAPP_PARTITIONS": f"{job.partitions}"}


def counting(bin: Path) -> tuple[Counting, ...]:  # noqa: A002 - as it is called elsewhere
    """Return all programs; of streamapp those of the venv with this ``bin``."""
    return (*_ours(bin), *COUNTING)


def _ours(bin: Path) -> tuple[Counting, ...]:  # noqa: A002
    whole = RiskStreamapp(bin, name="streamapp_risk", title="streamapp, the whole pipeline")
    return (
        whole,
        exactly_once(whole),
        CountingStreamapp(bin, name="streamapp_each", title="streamapp, each with its count", told=Told.EACH),
        CountingStreamapp(bin, title="streamapp, counts only"),
    )


COUNTING: Final[tuple[Counting, ...]] = (
    CountingKafkaStreams("kafka_streams", "Kafka Streams, counts only"),
    Spark("pyspark", "PySpark, micro-batches, counts only", "memory and a checkpoint"),
)
"""All but streamapp."""
