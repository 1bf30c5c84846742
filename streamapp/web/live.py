"""The live view: server-sent events, a snapshot of the worker each second, and one of its group every few.

They are made once for all of them, and not at all while there is none. A listener that reads slower than they are made
misses some; nothing is queued for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web
from faust.web.exceptions import WebError

from streamapp.web.answers import error
from streamapp.web.operations import get

__all__ = ["LISTENERS_MAX", "LIVE", "Live", "operations"]

logger = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
#: Seconds between two looks at the group: other workers and the broker are asked for it.
GROUP_INTERVAL_S: Final = 5.0
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
    _making: list[asyncio.Task[None]] = dataclasses.field(default_factory=list)
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
            if not self.listeners:
                while self._making:
                    self._making.pop().cancel()

    async def _send(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        response.content_type = EVENT_STREAM
        await response.prepare(request)
        if not self._making:
            self._tell()
            self._making = [asyncio.create_task(self._tell_each_second()), asyncio.create_task(self._look_at_group())]
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

    async def _tell_each_second(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            try:
                self._tell()
            except Exception:  # or the page would stand still, and nobody know why
                logger.exception("The snapshot for the page could not be made")

    async def _look_at_group(self) -> None:
        while True:
            try:
                self._group = _event("group", await self.group())
            except WebError:  # it is no member yet, or the coordinator does not answer: what is known stays
                pass
            except Exception:  # or the page would show an old group for ever, and nobody know why
                logger.exception("The group could not be looked at for the page")
            await asyncio.sleep(GROUP_INTERVAL_S)

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


EVENT_STREAM: Final = "text/event-stream"
LIVE: Final = web.AppKey[Live]("live", Live)


async def live(request: web.Request) -> web.StreamResponse:
    """Send a snapshot each second (``worker``), and of the group every few (``group``), until the client goes."""
    return await request.app[LIVE].listen(request)


operations = [
    get("/api/live", live, media=EVENT_STREAM),
]
