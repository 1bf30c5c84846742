"""A directory belongs to one Kafka at a time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamapp.embedded_kafka.directory import BrokerDirectory
from streamapp.embedded_kafka.failure import BrokerError


def test_a_directory_in_use_names_the_process_that_uses_it(tmp_path: Path) -> None:
    async def take_twice() -> None:
        async with BrokerDirectory(tmp_path).locked(), BrokerDirectory(tmp_path).locked():
            pass

    with pytest.raises(BrokerError, match=f"^{tmp_path} is in use by pid {os.getpid()}$"):
        asyncio.run(take_twice())


def test_a_directory_is_free_again_afterwards(tmp_path: Path) -> None:
    async def take_in_turn() -> None:
        for _ in range(2):
            async with BrokerDirectory(tmp_path).locked():
                pass

    asyncio.run(take_in_turn())


def test_a_kafka_that_outlives_its_dead_owner_is_waited_for(tmp_path: Path) -> None:
    owner = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)

    async def take() -> None:
        async with BrokerDirectory(tmp_path).locked() as lock:
            (tmp_path / "kafka.lock").write_bytes(owner.stdout)
            held = os.dup(lock)
        waiting = asyncio.create_task(enter())
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
        os.close(held)
        await asyncio.wait_for(waiting, 30)

    async def enter() -> None:
        async with BrokerDirectory(tmp_path).locked():
            pass

    asyncio.run(take())


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"\xff\x00=\n", b"node.id=1\n", b"cluster.id=x\nnode.id=2\n"])
def test_damaged_storage_says_which_file_and_what_to_do(tmp_path: Path, content: bytes) -> None:
    directory = BrokerDirectory(tmp_path)
    directory.data.mkdir()
    meta = directory.data / "meta.properties"
    meta.write_bytes(content)
    with pytest.raises(BrokerError, match=f"^{meta} is damaged: delete {tmp_path} to start with an empty Kafka"):
        directory.cluster_id()


def test_the_cluster_id_is_read_from_storage(tmp_path: Path) -> None:
    directory = BrokerDirectory(tmp_path)
    directory.data.mkdir()
    (directory.data / "meta.properties").write_text("#\nversion=1\nnode.id=1\ncluster.id=-abc=\n")
    assert directory.is_formatted
    assert directory.cluster_id() == "-abc="
