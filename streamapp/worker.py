"""The worker process: checks what it needs before it starts, and says in one line what is missing."""

from __future__ import annotations

import gc
import logging
from pathlib import Path
from typing import Any, Final, NoReturn

import faust

from streamapp.cluster import ClusterError
from streamapp.copartition import prepare
from streamapp.settings import PREFIX, REDIS, SettingsError
from streamapp.stores.errors import StoreError
from streamapp.web.access import check_reach

__all__ = ["Worker"]

#: Objects made, less those freed, between two runs of the garbage collector. A batch makes some 10,000 objects that are
#: freed without it; at Python's 700 it ran 20 times a batch, and looked at the fetched records again and again: a
#: third of all CPU.
GARBAGE: Final = 100_000


class Worker(faust.Worker):
    """Faust's worker; of the app it runs, the topics are made and checked first."""

    app: Any

    def execute_from_commandline(self) -> NoReturn:
        """Run until stopped; ends the process."""
        try:
            _make_directory(self.app.conf.datadir)
            check_reach(self.app.settings, self.app.conf.web_bind)
            self.app.conf.topic_partitions = prepare(self.app)
            if self.app.settings.store.startswith(REDIS):
                from streamapp.stores import redis  # only for who needs it: its import is a tenth of the start

                redis.check(self.app.settings)
        except (SettingsError, ClusterError, StoreError) as exc:
            raise SystemExit(f"streamapp: {exc}") from None
        gc.freeze()  # what was imported stays, and need not be looked at again
        gc.set_threshold(GARBAGE)
        super().execute_from_commandline()

    async def on_first_start(self) -> None:
        """Tell what was found before there was a log."""
        await super().on_first_start()
        for note in self.app.notes:
            self.log.warning("%s", note)

    def autodiscover(self) -> None:
        """Do nothing: the agents are found by now; Faust (0.15.3) would look for them a second time."""

    def on_setup_root_logger(self, logger: logging.Logger, level: int) -> None:
        """Leave the log level as it was asked for: Faust's spinner turns on all debug records (0.15.3)."""
        self.spinner = None
        # aiokafka (0.14) would write the SASL password there, with the request that has it.
        logging.getLogger("aiokafka.conn").setLevel(max(level, logging.INFO))

    async def _sentinel_task(self) -> None:
        """End at once: mode (0.7) sleeps a second here, after all is stopped, before the process may end."""

    def _proc_ident(self) -> Any:
        return f"{self.app.conf.id} {self._proc_web_ident()}"


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise SettingsError(f"{PREFIX}DATADIR={path} cannot be made: {exc.strerror}") from None
