"""The directory of an embedded Kafka: what is in it, and that only one uses it."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from streamapp.embedded_kafka.failure import BrokerError
from streamapp.embedded_kafka.properties import NODE_ID

__all__ = ["LOCK_RETRY_S", "BrokerDirectory", "try_lock"]

#: Seconds between two attempts to get a lock.
LOCK_RETRY_S: Final = 0.1


class BrokerDirectory:
    """Names of the files below a directory, which need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.data = self.path / "data"
        self.log = self.path / "kafka.log"
        self.properties = self.path / "server.properties"
        self.log4j = self.path / "log4j2.xml"
        self._meta = self.data / "meta.properties"

    @property
    def is_formatted(self) -> bool:
        """Whether Kafka's storage tool has been here."""
        return self._meta.exists()

    def cluster_id(self) -> str:
        """Return the id that the storage was formatted with; a BrokerError if the file that has it is damaged."""
        lines = self._meta.read_text("latin-1").splitlines()
        meta = dict(line.split("=", 1) for line in lines if "=" in line)
        if meta.get("node.id") != f"{NODE_ID}" or "cluster.id" not in meta:
            raise BrokerError(
                f"{self._meta} is damaged: delete {self.path} to start with an empty Kafka, or use another directory"
            )
        return meta["cluster.id"]

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[int]:
        """Take the directory, and yield the lock's file descriptor.

        The lock lasts as long as any process has the descriptor open. Kafka inherits it, so the directory
        is free when that Kafka has really ended, even if the process that started it is long gone.

        Raises:
            BrokerError: if another process that is alive has it.
        """
        lock = os.open(self.path / "kafka.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            while not try_lock(lock):
                owner = int(os.pread(lock, 20, 0) or b"0")
                if owner and _is_alive(owner):
                    raise BrokerError(f"{self.path} is in use by pid {owner}")
                # The owner has died just now, and its Kafka is about to end.
                await asyncio.sleep(LOCK_RETRY_S)
            os.truncate(lock, 0)
            os.pwrite(lock, b"%d" % os.getpid(), 0)
            yield lock
        finally:
            os.close(lock)


def try_lock(lock: int) -> bool:
    """Lock a file, and return whether no other process has locked it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
