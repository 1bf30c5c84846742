"""Looks at what the watch counts, once a second."""

from __future__ import annotations

import time
from typing import Any, Final

from mode import Service

__all__ = ["Watching"]

#: Seconds between two looks.
LOOK_S: Final = 1.0


class Watching(Service):
    """Has the watch of an app look, as long as the app runs."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self._app = app

    @Service.task
    async def _look(self) -> None:
        while not self.should_stop:
            await self.sleep(LOOK_S)
            self._app.watch.look(time.monotonic())
