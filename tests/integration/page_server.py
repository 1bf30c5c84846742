"""A server of the page with the answers that a test makes up: the files and the routes are those of a worker."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

import msgspec
from aiohttp import web
from ports import free_port

from streamapp.web import page

__all__ = ["PageServer"]

Answer = Callable[[Mapping[str, str]], Any]


class PageServer:
    """Serves the page in a thread of its own; to be used in a `with`.

    What is asked for is answered by `answers`, with JSON or with text as it is; what there is none for is not answered
    at all until the end, as by a worker that hangs.

    Args:
        port: that it listens on; 0 = a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        #: By path, what answers to its query.
        self.answers: dict[str, Answer] = {"/api/tables": lambda _: []}
        #: The paths that were asked for, with their queries.
        self.asked: list[tuple[str, dict[str, str]]] = []
        #: How many streams are open.
        self.listeners = 0
        self.token = ""
        self._events: dict[str, bytes] = {}
        self._queues: set[asyncio.Queue[bytes]] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def tell(self, name: str, snapshot: Any) -> None:
        """Send an event to all that listen, and to those that come later."""
        event = b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(snapshot))
        done = threading.Event()

        def put() -> None:
            self._events[name] = event
            for queue in self._queues:
                queue.put_nowait(event)
            done.set()

        self._loop.call_soon_threadsafe(put)
        done.wait()

    async def _serve(self) -> None:
        app = web.Application()
        app.add_routes([web.RouteDef(one.method, one.path, one.handler, {}) for one in page.operations])
        app.add_routes([web.get("/api/live", self._live), web.get("/{path:.*}", self._answer)])
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        self._started.set()
        await self._over.wait()
        await runner.cleanup()

    async def _live(self, request: web.Request) -> web.StreamResponse:
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "show the token"}, status=401)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        for event in self._events.values():
            queue.put_nowait(event)
        self._queues.add(queue)
        self.listeners += 1
        try:
            while not self._over.is_set():
                try:
                    event = await asyncio.wait_for(queue.get(), 0.5)
                except TimeoutError:  # a worker is never silent
                    event = b"".join(self._events.values())
                await response.write(event)
        except ConnectionError:
            pass
        finally:
            self._queues.discard(queue)
            self.listeners -= 1
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.asked.append((request.path, query))
        answer = self.answers.get(request.path)
        found = None if answer is None else await asyncio.to_thread(answer, query)
        if found is None:
            await self._over.wait()
        body = found if isinstance(found, str) else json.dumps(msgspec.to_builtins(found))
        return web.Response(text=body, content_type="application/json")
