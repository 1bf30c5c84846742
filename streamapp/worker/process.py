"""The worker process: checks what it needs before it starts, and says in one line what is missing."""

from __future__ import annotations

import gc
import logging
from typing import Final, NoReturn

import faust

from streamapp.errors import StreamappError
from streamapp.extras import Extra, require
from streamapp.rate_limit import RateLimit
from streamapp.worker.app import App
from streamapp.worker.copartition import check_placement, check_rows, make_changelogs, make_inputs, make_outputs
from streamapp.worker.event_times import check_event_times
from streamapp.worker.host import check_data, check_store, check_views
from streamapp.worker.inputs import check_inputs, check_sent_back, check_ways
from streamapp.worker.one_partition import check_left, check_single
from streamapp.worker.registry import check_registry
from streamapp.worker.start import Check, Start
from streamapp.worker.static_member import check_alone

__all__ = ["Worker", "prepare"]

#: Objects made, less those freed, between two runs of the garbage collector. A batch makes some 10,000 objects that are
#: freed without it; at Python's 700 it ran 20 times a batch, and looked at the fetched records again and again: a
#: third of all CPU.
GARBAGE: Final = 100_000
#: Seconds between two lines of aiokafka's (0.14) on a topic that is not there, which it would write at each look.
MISSING_LOG_INTERVAL_S: Final = 10.0


def begin_traces(start: Start) -> None:
    """Have spans made of batches, if there is a collector for them; a MissingExtraError without what makes them."""
    if start.app.settings.traces:
        require(Extra.TRACES)
        from streamapp.worker.traces import Traces

        start.app.sensors.add(Traces(start.app))


#: In their order; those before `check_inputs` ask no broker.
CHECKS: Final[tuple[Check, ...]] = (
    check_data,
    check_views,
    check_sent_back,
    check_ways,
    check_inputs,
    make_inputs,
    check_single,
    check_left,
    check_placement,
    check_rows,
    make_changelogs,
    make_outputs,
    check_registry,
    check_event_times,
    check_alone,
    check_store,
    begin_traces,
)


def prepare(app: App) -> None:
    """Check what a worker of an app needs, and make the topics that are missing.

    Raises:
        StreamappError: if the worker cannot start; in one line that says what to do.
    """
    for make in app.before_start:
        make()
    start = Start(app)
    for check in CHECKS:
        check(start)
    app.partition_counts = {**start.inputs, **start.changelogs}


class Worker(faust.Worker):
    """Faust's worker; of the app it runs, the topics are made and checked first."""

    app: App

    def execute_from_commandline(self) -> NoReturn:
        """Run until stopped; ends the process."""
        try:
            prepare(self.app)
        except StreamappError as exc:
            raise SystemExit(f"streamapp: {exc}") from None
        gc.freeze()  # what was imported stays, and need not be looked at again
        gc.set_threshold(GARBAGE)
        try:
            super().execute_from_commandline()
        except SystemExit:
            # After what the log says of the stop, the reason once more, where it is looked for.
            if isinstance(self.crash_reason, StreamappError):
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
        if level > logging.DEBUG:  # a line for each request to a schema registry; what goes wrong we tell ourselves
            logging.getLogger("httpx2").setLevel(max(level, logging.WARNING))
        told = RateLimit(MISSING_LOG_INTERVAL_S)
        logging.getLogger("aiokafka.cluster").addFilter(lambda record: told.due(record.getMessage()))

    async def _sentinel_task(self) -> None:
        """End at once: mode (0.7) sleeps a second here, after all is stopped, before the process may end."""

    def _proc_ident(self) -> str:
        return f"{self.app.conf.id} {self._proc_web_ident()}"
