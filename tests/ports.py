"""Ports of the loopback interface that no test takes from another."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator

import pytest

__all__ = ["free_port", "needs_ipv6"]

#: Below the ports that streamapp chooses itself, and those that the system takes for outgoing connections.
PORTS = range(10_000, 20_000)


def _mine() -> Iterator[int]:
    """Go through the share of this process among the processes of a test run, from somewhere on."""
    share = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = PORTS[share :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    start = random.SystemRandom().randrange(len(ports))
    yield from ports[start:]
    yield from ports[:start]


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")

_left = _mine()


def free_port() -> int:
    """Find a port on which nobody listens, and that is not given again: who got it may listen much later."""
    while True:
        port = next(_left)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
