"""A TCP proxy on 127.0.0.1: it speaks TLS where its server does not, and loses answers when told to."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from typing import Self

__all__ = ["Proxy"]


class Proxy:
    """Hands connections on to a port; to be used in a `with`.

    Args:
        port: of the server.
        tls: how to speak TLS with the clients; None = not.
    """

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._target = port
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        #: Once a request has these bytes, the server gets it, but its answer is lost with the connection.
        self.cut: bytes | None = None

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            with client:
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()
                while data := client.recv(1 << 16):
                    cut = self.cut is not None and self.cut in data
                    if cut:
                        self.cut = None
                        client.shutdown(socket.SHUT_RDWR)
                    server.sendall(data)
                    if cut:
                        server.shutdown(socket.SHUT_WR)
                        while server.recv(1):  # until the server has done it and closes
                            pass

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                client.sendall(data)
