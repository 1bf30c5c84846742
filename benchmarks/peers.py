"""The programs that are compared, how each is started, and what has to be installed for it."""

from __future__ import annotations

import dataclasses
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

__all__ = ["PEERS", "Job", "Peer", "Streamapp", "Unavailable"]

PROGRAMS: Final = Path(__file__).parent / "programs"


class Unavailable(Exception):
    """A peer that cannot be run on this machine; the text says what is missing."""


@dataclasses.dataclass(frozen=True)
class Job:
    """What a peer is to do.

    Args:
        broker: ``HOST:PORT``.
        prefix: of the names of the topics ``user_clicks`` and ``user_profiles``.
        joined: the output topic.
        group: the consumer group.
        state: a directory for whatever the peer wants to keep.
    """

    broker: str
    prefix: str
    joined: str
    group: str
    state: Path

    def environment(self) -> dict[str, str]:
        """Give the job as the peers' programs read it."""
        return {
            "BROKER": self.broker,
            "PROFILES": f"{self.prefix}user_profiles",
            "CLICKS": f"{self.prefix}user_clicks",
            "JOINED": self.joined,
            "GROUP": self.group,
            "STATE": f"{self.state}",
        }


class Peer(Protocol):
    """A program that joins clicks with profiles."""

    name: str
    title: str
    #: How many times fewer clicks it gets, so that a run does not take minutes.
    slower: int

    def install(self, cache: Path) -> None:
        """Make what is needed to run it, below `cache`.

        Raises:
            Unavailable: if that is not possible.
        """

    def command(self, job: Job) -> list[str]:
        """Give the command that starts it."""

    def environment(self, job: Job) -> Mapping[str, str]:
        """Give the environment variables that tell it what to do."""


@dataclasses.dataclass
class PythonPeer:
    """A Python program in a venv of its own.

    Args:
        name: of its folder.
        title: how people call it.
        slower: see `Peer`.
    """

    name: str
    title: str
    slower: int = 1
    arguments: tuple[str, ...] = ()
    bin: Path = Path()

    def install(self, cache: Path) -> None:
        requirements = PROGRAMS / self.name / "requirements.txt"
        venv = cache / "venvs" / self.name
        self.bin = venv / "bin"
        stamp = venv / "installed.txt"
        if stamp.exists() and stamp.read_text() == requirements.read_text():
            return
        print(f"  making {venv} for {self.title}", flush=True)
        _run([sys.executable, "-m", "venv", "--clear", f"{venv}"])
        _run(
            [f"{self.bin}/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            + ["--requirement", f"{requirements}"]
        )
        shutil.copy(requirements, stamp)

    def command(self, job: Job) -> list[str]:
        return [f"{self.bin}/python", f"{PROGRAMS / self.name / 'join.py'}", *self.arguments]

    def environment(self, job: Job) -> Mapping[str, str]:
        return job.environment() | {"PYTHONUNBUFFERED": "1", "VIRTUAL_ENV": f"{self.bin.parent}"}


@dataclasses.dataclass
class KafkaStreams:
    """The Java program, built by Maven.

    Args:
        name: of the peer.
        title: how people call it.
        threads: stream threads.
    """

    name: str
    title: str
    threads: int = 1
    slower: int = 1
    classes: Path = Path()

    def install(self, cache: Path) -> None:
        missing = [program for program in ("mvn", "java", "javac") if shutil.which(program) is None]
        if missing:
            raise Unavailable(f"{' and '.join(missing)} not found")
        source = PROGRAMS / "kafka_streams"
        target = cache / "kafka_streams"
        self.classes = target
        stamp = target / "installed.txt"
        wanted = "".join(path.read_text() for path in sorted(source.rglob("*")) if path.is_file())
        if stamp.exists() and stamp.read_text() == wanted:
            return
        print(f"  building {target} for {self.title}", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        _run(
            ["mvn", "--quiet", "--batch-mode", "--file", f"{target}/pom.xml", "package", "dependency:copy-dependencies"]
        )
        stamp.write_text(wanted)

    def command(self, job: Job) -> list[str]:
        # Without a limit the JVM takes a quarter of the machine's memory for its heap before it collects.
        classpath = f"{self.classes}/target/kafka-streams-join-1.jar:{self.classes}/target/dependency/*"
        return ["java", "-Xmx1g", "-cp", classpath, "peer.Join"]

    def environment(self, job: Job) -> Mapping[str, str]:
        return job.environment() | {"THREADS": f"{self.threads}"}


@dataclasses.dataclass
class Streamapp:
    """The app of this project, as its users start it.

    Args:
        bin: the ``bin`` of the venv that it is installed in.
        store: URL of the table store.
        settings: further ones, without the prefix and in small letters.
    """

    bin: Path
    name: str = "streamapp"
    title: str = "streamapp"
    slower: int = 1
    store: str = "rocksdb://"
    wrapper: tuple[str, ...] = ()

    def install(self, cache: Path) -> None:
        if not (self.bin / "faust").exists():
            raise Unavailable(f"no faust in {self.bin}: name the bin of a venv with streamapp by --streamapp")

    def command(self, job: Job) -> list[str]:
        return [*self.wrapper, f"{self.bin}/faust", "-A", "streamapp", "worker", "-l", "info"]

    def environment(self, job: Job) -> Mapping[str, str]:
        return {
            "STREAMAPP_BROKER": job.broker,
            "STREAMAPP_ID": job.group,
            "STREAMAPP_STORE": self.store,
            "STREAMAPP_DATADIR": f"{job.state}",
            "STREAMAPP_TOPIC_PREFIX": job.prefix,
            "STREAMAPP_JOINED_TOPIC": job.joined,
            "STREAMAPP_WEB_PORT": f"{_free_port()}",
        }


PEERS: Final[tuple[Peer, ...]] = (
    KafkaStreams("kafka_streams", "Kafka Streams"),
    KafkaStreams("kafka_streams_2", "Kafka Streams, 2 threads", threads=2),
    PythonPeer("confluent_kafka", "confluent-kafka loop, by hand"),
    PythonPeer("aiokafka", "aiokafka loop, by hand"),
    PythonPeer("pathway", "Pathway"),
    PythonPeer("bytewax", "Bytewax"),
    PythonPeer("quix_streams", "Quix Streams"),
    PythonPeer("faust", "Faust, untouched", slower=10),
)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:4])} … failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _free_port() -> int:
    """Find a port below the range from which the system takes those of outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
