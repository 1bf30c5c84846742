"""Ports for a server on loopback."""

from __future__ import annotations

import socket

import pytest

from streamapp.embedded_kafka import ports
from streamapp.embedded_kafka.failure import PortInUseError
from streamapp.embedded_kafka.ports import check_free, free_port


def test_a_port_that_something_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"port {port} is in use"):
            check_free(port)


def test_a_free_port_is_one_that_no_outgoing_connection_is_given() -> None:
    port = free_port()
    check_free(port)
    assert 1024 < port < 32768


def test_a_free_port_is_none_that_is_meant_for_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = sorted({free_port() for _ in range(100)})[:2]
    monkeypatch.setattr(ports, "PORTS", [one, other])
    assert {free_port(apart_from={one}) for _ in range(100)} == {other}
