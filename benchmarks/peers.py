"""The programs that are compared: how each is installed and started, and what it keeps of its table."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final, Protocol, TypeVar

from benchmarks.pairs import GRACE, WINDOW
from streamapp.embedded_kafka.ports import free_port

__all__ = [
    "KAFKA_STREAMS",
    "PAIRING",
    "PEERS",
    "PROGRAMS",
    "Job",
    "KafkaStreams",
    "PairingKafkaStreams",
    "PairingStreamapp",
    "Peer",
    "PythonProgram",
    "Streamapp",
    "UnavailableError",
    "exactly_once",
    "run_once",
]

PROGRAMS: Final = Path(__file__).parent / "programs"
#: The window of the programs that join two streams, as they read it.
WINDOWED: Final = {"WINDOW_MS": f"{WINDOW}", "GRACE_MS": f"{GRACE}"}


class UnavailableError(Exception):
    """A peer that cannot be run on this machine; the text is one line that says what is missing."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What a peer is to do.

    Args:
        broker: ``HOST:PORT``.
        prefix: of the names of the input topics.
        joined: the output topic.
        group: the consumer group.
        state: a directory for whatever the peer wants to keep.
        partitions: of these topics.
        linger_ms: how long a producer may wait for more records, for a peer that must be told.
    """

    broker: str
    prefix: str
    joined: str
    group: str
    state: Path
    partitions: int
    linger_ms: int

    @property
    def clicks(self) -> str:
        """Name of the clicks' topic."""
        return f"{self.prefix}user_clicks"

    @property
    def profiles(self) -> str:
        """Name of the profiles' topic."""
        return f"{self.prefix}user_profiles"

    def environment(self) -> dict[str, str]:
        """Give the job as the programs in `PROGRAMS` read it."""
        return {
            "BROKER": self.broker,
            "PREFIX": self.prefix,
            "PROFILES": self.profiles,
            "CLICKS": self.clicks,
            "JOINED": self.joined,
            "GROUP": self.group,
            "STATE": f"{self.state}",
            "PARTITIONS": f"{self.partitions}",
            "LINGER_MS": f"{self.linger_ms}",
        }


class Peer(Protocol):
    """A program that joins clicks with profiles."""

    @property
    def name(self) -> str:
        """A short name, without spaces."""

    @property
    def title(self) -> str:
        """How people call it."""

    @property
    def keeps(self) -> str:
        """Where its table is, and what is left of it after a crash."""

    @property
    def slower(self) -> int:
        """By how much to divide the clicks, so that a run does not take minutes."""

    @property
    def exactly_once(self) -> bool:
        """Whether it commits its results and the offsets of its input in transactions."""

    @property
    def updates(self) -> bool:
        """Whether it gives a result for each change, so that only the last one counts."""

    @property
    def version(self) -> str:
        """The version of the library that it is made with."""

    def install(self, cache: Path) -> None:
        """Make what is needed to run it, below `cache`, if it is not there yet.

        Raises:
            UnavailableError: if that is not possible.
        """

    def command(self, job: Job) -> list[str]:
        """Give the command that starts it."""

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the environment variables that tell it what to do."""


@dataclasses.dataclass
class PythonProgram:
    """A Python program of ours, in a venv of its own.

    Args:
        name, title, keeps, slower: see `Peer`.
        launcher: arguments of Python before the program.
        arguments: of the program.
        folder: where it is, if not at its name.
        program: its file there.
        updates: see `Peer`.
    """

    name: str
    title: str
    keeps: str
    slower: int = 1
    launcher: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    folder: str = ""
    program: str = "join.py"
    updates: bool = False
    python: Path = Path("python")
    exactly_once: ClassVar[bool] = False

    @property
    def version(self) -> str:
        """The version of the first package that it requires."""
        return self._requirements.read_text().splitlines()[0].partition("==")[2]

    def install(self, cache: Path) -> None:
        """Make the venv; anew if the requirements have changed."""
        venv = cache / "venvs" / self.source.name
        self.python = venv / "bin" / "python"
        installed, wanted = venv / "installed.txt", self._requirements.read_text()
        if installed.exists() and installed.read_text() == wanted:
            return
        print(f"{self.title}: making {venv}", flush=True)
        run_once(sys.executable, "-m", "venv", "--clear", venv)
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run_once(self.python, *pip, "-r", self._requirements)
        installed.write_text(wanted)

    def command(self, job: Job) -> list[str]:
        """Give the command that starts it."""
        return [f"{self.python}", *self.launcher, f"{self.source / self.program}", *self.arguments]

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the job."""
        return job.environment() | {"PYTHONUNBUFFERED": "1"}

    @property
    def source(self) -> Path:
        """The folder that it is in."""
        return PROGRAMS / (self.folder or self.name)

    @property
    def _requirements(self) -> Path:
        return self.source / "requirements.txt"


@dataclasses.dataclass
class KafkaStreams:
    """The Java program, built by Maven; to be run, it needs the Java that it was built with.

    Args:
        name, title: see `Peer`.
        threads: stream threads.
        exactly_once, updates: see `Peer`.
        main: the class that is run.
    """

    name: str
    title: str
    threads: int = 1
    main: str = "peer.Join"
    keeps: str = "RocksDB and changelog"
    slower: int = 1
    exactly_once: bool = False
    updates: bool = False
    target: Path = Path("target")

    @property
    def version(self) -> str:
        """The version of Kafka Streams."""
        pom = (PROGRAMS / "kafka_streams" / "pom.xml").read_text()
        return "".join(re.findall(r"<artifactId>kafka-streams</artifactId>\s*<version>([^<]+)", pom))

    def install(self, cache: Path) -> None:
        """Build it; anew if the source has changed."""
        if missing := [program for program in ("mvn", "javac", "java") if shutil.which(program) is None]:
            raise UnavailableError(f"{' and '.join(missing)} not found")
        source, build = PROGRAMS / "kafka_streams", cache / "kafka_streams"
        self.target = build / "target"
        built, wanted = build / "built.txt", "".join(f.read_text() for f in sorted(source.rglob("*.*")) if f.is_file())
        if built.exists() and built.read_text() == wanted:
            return
        print(f"{self.title}: building {build}", flush=True)
        shutil.rmtree(build, ignore_errors=True)
        shutil.copytree(source, build)
        run_once("mvn", "-q", "--batch-mode", "--file", build / "pom.xml", "package", "dependency:copy-dependencies")
        built.write_text(wanted)

    def command(self, job: Job) -> list[str]:
        """Give the command that starts it."""
        classes = f"{self.target}/kafka-streams-join-1.jar:{self.target}/dependency/*"
        # Without a limit the heap grows to a quarter of the machine's memory.
        return ["java", "-Xmx1g", "-cp", classes, self.main]

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the job."""
        guarantee = "exactly_once_v2" if self.exactly_once else "at_least_once"
        return job.environment() | {"THREADS": f"{self.threads}", "GUARANTEE": guarantee}


@dataclasses.dataclass
class PairingKafkaStreams(KafkaStreams):
    """The Java program that joins two streams.

    Args:
        values: ``json`` = they are parsed and written again; ``bytes`` = they stay as they are.
    """

    main: str = "peer.Pairs"
    values: str = "json"

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the job."""
        return {**super().environment(job), **WINDOWED, "VALUES": self.values}


@dataclasses.dataclass(frozen=True)
class Streamapp:
    """The app of this project, as its users start it.

    Args:
        bin: of the venv that it is installed in.
        store: URL of the table store.
        exactly_once, updates: see `Peer`.
        standbys: workers that keep the rows of a partition besides its owner.
        settings: further ones, by the names of their variables.
    """

    bin: Path
    store: str = "rocksdb://"
    name: str = "streamapp"
    title: str = "streamapp"
    keeps: str = "RocksDB and changelog"
    slower: int = 1
    exactly_once: bool = False
    updates: bool = False
    standbys: int = 0
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def version(self) -> str:
        """The commit says it."""
        return ""

    def install(self, cache: Path) -> None:
        """See whether it is there."""
        if not (self.bin / "faust").exists():
            raise UnavailableError(f"{self.bin}/faust not found: name the bin of a venv with streamapp by --streamapp")

    def command(self, job: Job) -> list[str]:
        """Give the command that starts a worker."""
        return [f"{self.bin}/faust", "-A", "streamapp", "worker", "-l", "info"]

    def environment(self, job: Job) -> dict[str, str]:
        """Give the settings; those that are not named have their defaults."""
        return {
            "STREAMAPP_BROKER": job.broker,
            "STREAMAPP_ID": job.group,
            "STREAMAPP_STORE": self.store,
            "STREAMAPP_DATADIR": f"{job.state}",
            "STREAMAPP_TOPIC_PREFIX": job.prefix,
            "STREAMAPP_JOINED_TOPIC": job.joined,
            "STREAMAPP_WEB_PORT": f"{free_port()}",
            "STREAMAPP_STANDBYS": f"{self.standbys}",
            "STREAMAPP_PROCESSING_GUARANTEE": "exactly_once" if self.exactly_once else "at_least_once",
            **self.settings,
        }


Both = TypeVar("Both", bound=KafkaStreams | Streamapp)


def exactly_once(peer: Both) -> Both:
    """Give a program with the other guarantee."""
    name, title = f"{peer.name}_exactly_once", f"{peer.title}, exactly once"
    return dataclasses.replace(peer, name=name, title=title, exactly_once=True)


KAFKA_STREAMS: Final = KafkaStreams("kafka_streams", "Kafka Streams")


@dataclasses.dataclass(frozen=True)
class PairingStreamapp(Streamapp):
    """A program of a few lines that joins two streams with this project's library."""

    def command(self, job: Job) -> list[str]:
        """Give the command that starts a worker."""
        return [f"{self.bin}/faust", "-A", "pairs", "worker", "-l", "info"]

    def environment(self, job: Job) -> dict[str, str]:
        """Give the settings, the topics by their full names, and where the program is."""
        settings = super().environment(job)
        for name in ("STREAMAPP_TOPIC_PREFIX", "STREAMAPP_JOINED_TOPIC"):
            settings.pop(name)
        topics = {"PURCHASES": f"{job.prefix}purchases", "VIEWS": f"{job.prefix}views", "JOINED": job.joined}
        return {**settings, **topics, **WINDOWED, "PYTHONPATH": f"{PROGRAMS / 'streamapp'}"}


PEERS: Final[tuple[Peer, ...]] = (
    KAFKA_STREAMS,
    KafkaStreams("kafka_streams_2", "Kafka Streams, 2 threads", threads=2),
    PythonProgram("confluent_kafka", "confluent-kafka loop", "memory; read again at each start"),
    PythonProgram(
        "confluent_kafka_tuned",
        "confluent-kafka loop, tuned",
        "memory; read again at each start",
        folder="confluent_kafka",
        # By default it stops fetching for a second each time 100,000 messages wait.
        arguments=("fetch.queue.backoff.ms=10",),
    ),
    PythonProgram("aiokafka", "aiokafka loop", "memory; read again at each start"),
    PythonProgram("pathway", "Pathway", "memory; nothing is left (its persistence is off)"),
    PythonProgram(
        "bytewax", "Bytewax", "memory; nothing is left (its recovery is off)", launcher=("-m", "bytewax.run")
    ),
    PythonProgram("quix_streams", "Quix Streams", "RocksDB and changelog"),
    PythonProgram(
        "faust",
        "untouched Faust",
        "memory and changelog",
        slower=10,
        arguments=("worker", "--without-web", "-l", "info"),
    ),
)
"""All that join clicks with profiles, but for streamapp."""

PAIRING: Final[tuple[Peer, ...]] = (
    PairingKafkaStreams("kafka_streams", "Kafka Streams"),
    PairingKafkaStreams("kafka_streams_2", "Kafka Streams, 2 threads", threads=2),
    PairingKafkaStreams("kafka_streams_bytes", "Kafka Streams, values not parsed", values="bytes"),
)
"""All that join two streams, but for streamapp."""


def run_once(*command: str | Path, path: Path | None = None) -> None:
    """Run a command to its end; an UnavailableError if it fails.

    Args:
        path: a directory with programs that it calls.
    """
    environment = None if path is None else {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        output = (done.stderr or done.stdout).strip().splitlines()
        raise UnavailableError(f"{' '.join(map(str, command))} failed: {output[-1] if output else 'no output'}")
