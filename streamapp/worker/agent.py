"""An agent that is started again, on the batch it failed on."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import cast

import faust
from faust.types.agents import ActorRefT

from streamapp.kafka.refusals import RefusedError
from streamapp.runtime.changelog_limits import RowRefusedError
from streamapp.stores.errors import StoreBehindError, StoreError, StoreUnreachableError
from streamapp.worker.stream import Stream

__all__ = ["Agent"]


class Agent(faust.Agent):
    """A Faust agent whose function is called again on the same stream when it raises.

    Faust's supervisor would do it too, but 5 s later from the second failure on, since it misses its own
    wake-up (`mode.supervisors`, 0.7), and after the batch has been acknowledged.
    """

    async def _execute_actor(self, coro: Awaitable[None], aref: ActorRefT) -> None:
        if isinstance(aref.stream, Stream) and aref.stream.batched:
            coro = self._tried_again(coro, aref)
        await super()._execute_actor(coro, aref)

    async def _tried_again(self, coro: Awaitable[None], aref: ActorRefT) -> None:
        stream = cast(Stream, aref.stream)
        while True:
            try:
                await coro
            except Exception as exc:
                self._tell(exc)
                try:
                    await stream.failed(exc)
                except Exception as fatal:
                    stream.give_up()
                    await self.app.crash(fatal)
                    return
                coro = self._run(aref)
            else:
                return

    def _tell(self, error: Exception) -> None:
        if isinstance(error, StoreUnreachableError):
            self.log.warning("%s waits: %s", self.name, error)
        elif not isinstance(error, (StoreError, StoreBehindError, RefusedError, RowRefusedError)):  # others tell of it
            self.log.error("%s failed and is started again", self.name, exc_info=error)

    def _run(self, aref: ActorRefT) -> Awaitable[None]:
        running = self.fun(aref.stream)
        return running if isinstance(running, Awaitable) else self._slurp(aref, aiter(running))
