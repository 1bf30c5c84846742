"""A TCP relay between the workers and the broker, which can be cut, frozen and slowed down."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Self

__all__ = ["Wire"]

#: Bytes that are passed on at once.
CHUNK = 64 << 10


class Wire:
    """Passes on what comes to one port of the loopback interface to another; runs in a thread of its own.

    Args:
        port: where clients connect.
        target: where the broker listens.
    """

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._passing = asyncio.Event()
        self._passing.set()
        #: Bytes a second to the broker; 0 = as many as there are.
        self._rate = 0
        self._is_cut = False
        self._ends: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset all connections, and refuse new ones."""
        self._loop.call_soon_threadsafe(self._cut)

    def freeze(self) -> None:
        """Pass on nothing, while all connections stay open: packets vanish."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def slow_down(self, rate: int) -> None:
        """Pass on so many bytes a second to the broker, on each connection; what it answers is as fast as ever."""
        self._rate = rate

    def mend(self) -> None:
        """Pass on everything again, what was frozen too."""
        self._loop.call_soon_threadsafe(self._mend)

    def _cut(self) -> None:
        self._is_cut = True
        for end in self._ends:
            end.transport.abort()

    def _mend(self) -> None:
        self._is_cut = False
        self._rate = 0
        self._passing.set()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    async def _close(self) -> None:
        self._server.close()
        self._mend()
        self._cut()
        await asyncio.gather(*self._relays)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.current_task()
        assert relay is not None
        self._relays.add(relay)
        ends = {writer}
        try:
            from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._target)
            ends.add(to_broker)
            if not self._is_cut:
                self._ends |= ends
                await asyncio.gather(
                    self._pass_on(reader, to_broker, lambda: self._rate), self._pass_on(from_broker, writer)
                )
        except OSError:
            pass  # one end is gone, so is the other
        finally:
            self._ends -= ends
            for end in ends:
                end.transport.abort()
            self._relays.discard(relay)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: Callable[[], int] = lambda: 0
    ) -> None:
        while data := await reader.read(rate() // 10 or CHUNK):
            if bytes_a_second := rate():
                await asyncio.sleep(len(data) / bytes_a_second)
            await self._passing.wait()
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
