"""The clients that are compared, and what each of them is to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from aiokafka.codec import lz4_encode

from benchmarks.client_results import Work
from benchmarks.clients import clients, tasks
from benchmarks.peers import UnavailableError
from benchmarks.programs.clients.client_values import values

BIN = Path(sys.executable).parent
CLIENTS = {client.name: client for client in clients(BIN)}


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_has_a_program(name: str) -> None:
    client = CLIENTS[name]
    assert (client.source / client.program).is_file()


def test_a_connection_each_is_measured_with_as_many_messages_as_one_for_all() -> None:
    counts = {task.work: task.count for task in tasks(100_000)}
    assert counts[Work.CONNECT] == counts[Work.ONE_BY_ONE]


def test_each_size_is_produced_and_consumed_with_and_without_compression() -> None:
    found = {(task.work, task.size, task.compression) for task in tasks(100_000)}
    works = (Work.PRODUCE, Work.CONSUME)
    assert {(work, size, codec) for work in works for size in (100, 1_000, 10_000) for codec in ("none", "lz4")} < found


@pytest.mark.parametrize("size", [100, 1_000, 10_000])
def test_values_have_the_size_that_is_asked_for(size: int) -> None:
    assert {len(value) for value in values(size)} == {size}


def test_the_values_of_a_record_batch_are_compressed_to_about_half() -> None:
    batch = b"".join(values(100) * 2)[: 256 << 10]
    assert 2 < len(batch) / len(lz4_encode(batch, level=1)) < 3


def test_a_venv_without_streamapp_is_told_in_one_line(tmp_path: Path) -> None:
    own = clients(tmp_path)[0]
    with pytest.raises(UnavailableError, match=f"^{tmp_path}/python not found: name the bin of a venv with streamapp"):
        own.install(tmp_path)
