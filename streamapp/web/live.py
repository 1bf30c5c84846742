"""The live view: server-sent events, a snapshot of the worker each second, and one of its group every few.

They are made once for all of them, and not at all while there is none. A listener that reads slower than they are made
misses some; nothing is queued for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from faust.web.exceptions import WebError

from streamapp.web.answers import error

__all__ = ["LISTENERS_MAX", "LIVE", "Live", "routes"]

INTERVAL_S: Final = 1.0
#: Snapshots from one look at the group to the next: other workers and the broker are asked for that.
GROUP_EVERY: Final = 5
#: So many pages may be open at once, of one worker.
LISTENERS_MAX: Final = 32
#: Seconds after which a listener that reads nothing is left alone.
STALLED_S: Final = 30.0


@dataclasses.dataclass(eq=False)
class Live:
    """Makes snapshots while somebody listens.

    Args:
        make: the snapshot of this worker.
        group: that of the whole group; a WebError while it cannot be made.
    """

    make: Callable[[], msgspec.Struct]
    group: Callable[[], Awaitable[msgspec.Struct]]
    listeners: int = 0
    #: The newest snapshots as events, and what is set when there is a newer one.
    _event: bytes = b""
    _group: bytes = b""
    _newer: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    _making: asyncio.Task[None] | None = None
    _closed: bool = False

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Send snapshots until the listener goes, or the worker stops."""
        if self.listeners >= LISTENERS_MAX:
            text = f"{LISTENERS_MAX} pages of this worker are open already: close one of them"
            return error(HTTPStatus.SERVICE_UNAVAILABLE, text)
        self.listeners += 1
        try:
            return await self._send(request)
        finally:
            self.listeners -= 1
            if not self.listeners and self._making is not None:
                self._making.cancel()
                self._making = None

    async def _send(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        if self._making is None:
            self._tell()
            self._making = asyncio.create_task(self._make())
        # A listener that is gone, or reads nothing, is no fault.
        known = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            while not self._closed:
                newer = self._newer
                events, known = self._event if self._group is known else self._event + self._group, self._group
                async with asyncio.timeout(STALLED_S):
                    await response.write(events)
                await newer.wait()
        return response

    async def _make(self) -> None:
        for number in itertools.count():
            if number % GROUP_EVERY == 0:
                with contextlib.suppress(WebError):  # it is not a member yet, or the coordinator does not answer
                    self._group = _event("group", await self.group())
            await asyncio.sleep(INTERVAL_S)
            self._tell()

    def _tell(self) -> None:
        self._event = _event("worker", self.make())
        self._newer.set()
        self._newer = asyncio.Event()

    async def close(self, _app: web.Application) -> None:
        """Let all listeners go: the worker stops, and would wait for them."""
        self._closed = True
        self._newer.set()


def _event(name: str, snapshot: msgspec.Struct) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(snapshot))


LIVE: Final = web.AppKey[Live]("live", Live)


async def live(request: web.Request) -> web.StreamResponse:
    """Send a snapshot each second (``worker``), and of the group every few (``group``), until the client goes."""
    return await request.app[LIVE].listen(request)


routes = [
    web.get("/api/live", live),
]
