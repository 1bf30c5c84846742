"""The worker process: checks what it needs before it starts, and says in one line what is missing."""

from __future__ import annotations

import gc
import logging
from typing import Any, Final, NoReturn

import faust

from streamapp.batching.app import TOLD
from streamapp.batching.rate_limit import RateLimit
from streamapp.batching.static_member import check_alone
from streamapp.cluster import ClusterError
from streamapp.copartition import prepare
from streamapp.directory import check_directory
from streamapp.settings import REDIS, ROCKSDB, SettingsError
from streamapp.stores.errors import StoreError
from streamapp.web.access import check_reach
from streamapp.web.port import check_port

__all__ = ["Worker"]

#: Objects made, less those freed, between two runs of the garbage collector. A batch makes some 10,000 objects that are
#: freed without it; at Python's 700 it ran 20 times a batch, and looked at the fetched records again and again: a
#: third of all CPU.
GARBAGE: Final = 100_000
#: Seconds between two lines of aiokafka's (0.14) on a topic that is not there, which it would write at each look.
MISSING_EVERY_S: Final = 10.0


class Worker(faust.Worker):
    """Faust's worker; of the app it runs, the topics are made and checked first."""

    app: Any

    def execute_from_commandline(self) -> NoReturn:
        """Run until stopped; ends the process."""
        try:
            conf = self.app.conf
            check_directory(conf.datadir, conf.tabledir, written=self.app.settings.store == ROCKSDB)
            if conf.web_enabled and conf.web_transport.scheme == "tcp":
                check_reach(self.app.settings, conf.web_bind)
                check_port(conf.web_bind, conf.web_port)
            self.app.conf.topic_partitions = prepare(self.app)
            check_alone(self.app)
            if self.app.settings.store.startswith(REDIS):
                from streamapp.stores import redis  # only for who needs it: its import is a tenth of the start

                redis.check(self.app.settings)
        except (SettingsError, ClusterError, StoreError) as exc:
            raise SystemExit(f"streamapp: {exc}") from None
        gc.freeze()  # what was imported stays, and need not be looked at again
        gc.set_threshold(GARBAGE)
        try:
            super().execute_from_commandline()
        except SystemExit:
            # After what the log says of the stop, the reason once more, where it is looked for.
            if isinstance(self.crash_reason, TOLD):
                raise SystemExit(f"streamapp: {self.crash_reason}") from None
            raise

    async def on_first_start(self) -> None:
        """Tell what was found before there was a log."""
        await super().on_first_start()
        for level, note in self.app.notes:
            self.log.log(level, "%s", note)

    def autodiscover(self) -> None:
        """Do nothing: the agents are found by now; Faust (0.15.3) would look for them a second time."""

    def on_setup_root_logger(self, logger: logging.Logger, level: int) -> None:
        """Leave the log level as it was asked for: Faust's spinner turns on all debug records (0.15.3)."""
        self.spinner = None
        # aiokafka (0.14) would write the SASL password there, with the request that has it.
        logging.getLogger("aiokafka.conn").setLevel(max(level, logging.INFO))
        told = RateLimit(MISSING_EVERY_S)
        logging.getLogger("aiokafka.cluster").addFilter(lambda record: told.due(record.getMessage()))

    async def _sentinel_task(self) -> None:
        """End at once: mode (0.7) sleeps a second here, after all is stopped, before the process may end."""

    def _proc_ident(self) -> Any:
        return f"{self.app.conf.id} {self._proc_web_ident()}"
