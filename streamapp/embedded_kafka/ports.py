"""Ports of 127.0.0.1 to listen on."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Container
from typing import Final

from streamapp.embedded_kafka.failure import BrokerError, PortInUseError

__all__ = ["check_free", "free_port"]

#: Below what systems give to outgoing connections (Linux: from 32768, macOS: from 49152). Otherwise a client that tries
#: to reach a broker that is down can be given the broker's own port (and on loopback even connect to itself), and the
#: broker could not come back.
PORTS: Final = range(20_000, 32_000)


def check_free(port: int) -> None:
    """Make sure that a server could listen on the port just now; a BrokerError if it could not."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError as exc:
            if exc.errno == errno.EADDRINUSE:
                raise PortInUseError(port) from None
            raise BrokerError(f"port {port}: {exc.strerror}") from None


def free_port(apart_from: Container[int] = ()) -> int:
    """Return a port that is free just now; another process may take it before it is used.

    Args:
        apart_from: ports that are meant for something else, which does not listen there yet.
    """
    while True:
        port = secrets.choice(PORTS)
        if port not in apart_from:
            try:
                check_free(port)
            except PortInUseError:
                continue
            return port
