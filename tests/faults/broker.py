"""A real Kafka that can be killed, frozen and restarted, and which the workers reach through a wire."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Self

from ports import free_port
from wire import Wire

from streamapp.embedded_kafka import EmbeddedKafka

__all__ = ["Broker"]


class Broker:
    """A Kafka of one node.

    Args:
        directory: where it lives; what was written before a `kill` is there after it.
    """

    def __init__(self, directory: Path) -> None:
        port, wired, advertised = free_port(), free_port(), free_port()
        self._kafka = EmbeddedKafka(
            directory,
            port=port,
            config={
                "listeners": f"WIRED://127.0.0.1:{wired}",
                "listener.security.protocol.map": "WIRED:PLAINTEXT",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port},WIRED://127.0.0.1:{advertised}",
            },
        )
        #: Where the harness reaches it, whatever becomes of the wire.
        self.bootstrap = f"127.0.0.1:{port}"
        #: Where the workers reach it.
        self.wired = f"127.0.0.1:{advertised}"
        self.wire = Wire(advertised, wired)
        # Its loop runs only to start and to stop it: Kafka needs nothing from us in between.
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)

    def __enter__(self) -> Self:
        self._runner.run(self._kafka.start())
        self.wire.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.wire.__exit__(*error)
        self._runner.run(self._kafka.stop())
        self._runner.close()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        os.kill(self._kafka.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Stop it in order (SIGTERM)."""
        self._runner.run(self._kafka.stop())

    def start(self) -> None:
        """Start it again, on the same ports."""
        self._runner.run(self._kafka.start())

    def freeze(self) -> None:
        """Have it hang (SIGSTOP)."""
        os.kill(self._kafka.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self._kafka.pid, signal.SIGCONT)
