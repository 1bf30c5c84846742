"""Scores of whole batches, within a budget of time: what the model does not get to goes on without one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamapp.pipelines.risk.inference import Matrix, Model
from streamapp.pipelines.risk.models import Unscored
from streamapp.pipelines.risk.reloading import Reloaded

__all__ = ["PIECE_ROWS", "TRIED_RUNS", "Run", "Scored", "Scorer"]

#: The scores of a piece; None if there are none.
Found: TypeAlias = NDArray[np.float64] | None

#: Rows that the model is given at a time: at least, and at most.
PIECE_ROWS: Final = (16, 1_024)
#: The part of the budget that a piece is to take, by the time that the ones before took.
PIECE_SHARE: Final = 0.25
#: How much the latest piece counts in that, and how many times as long as before it may seem to have taken: most that
#: take long do so since the machine has other things to do.
LATEST_SHARE, MOST_LONGER = 0.2, 2.0
#: Runs within the budget, one after the other, after which a model is taken to keep it.
TRIED_RUNS: Final = 100

log = logging.getLogger(__name__)


class Run(NamedTuple):
    """What the model did at a time: so many rows in so many seconds."""

    rows: int
    seconds: float


class Scored(NamedTuple):
    """The scores of a batch, NaN where there is none, for the reason ``unscored``, and the model that gave them."""

    model: Model | None
    scores: NDArray[np.float64]
    unscored: Unscored


class Scorer:
    """Runs the model, piece by piece: in a thread of its own, until it is known to keep the budget.

    A batch is cut into pieces that take a part of the budget each, as far as the time is known that a row takes. A
    piece that is not there when its budget is over goes on without scores. If it has not even begun by then, since the
    model is still at an earlier one, so does the rest of the batch: none waits much longer for a model that hangs.

    To hand a piece to the thread and to get the scores back takes several times as long as the model does for a few
    rows. So a model that has kept the budget a hundred times, one after the other, is run here, at once. If a run takes
    longer after all, its scores come too late and are left out, and the model has to keep the budget in its thread
    again.

    Args:
        models: the model, as it is by now.
        budget: seconds that a piece may take.
        observe: called with each run, also in the model's thread.
    """

    def __init__(self, models: Reloaded[Model], budget: float, observe: Callable[[Run], None] | None = None) -> None:
        self._models, self._budget, self._observe = models, budget, observe
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="risk-model")
        #: Seconds that a row takes.
        self._row = budget / PIECE_ROWS[1]
        self._failed = ""
        #: The latest piece that was still running when its time was over.
        self._overdue: Future[Found] | None = None
        #: The model that was run last, and how often it has kept the budget since it did not.
        self._tried: Model | None = None
        self._kept = 0

    async def score(self, rows: Matrix) -> Scored:
        """Return the scores of the rows of a batch, by one model."""
        model = self._models.current
        scores = np.full(len(rows), np.nan)
        if model is None:
            return Scored(None, scores, Unscored.NO_MODEL)
        if model is not self._tried:
            self._tried, self._kept = model, 0
        done = 0
        while done < len(rows):
            piece = rows[done : done + self._piece]
            if self._kept < TRIED_RUNS:
                found, hangs = await self._besides(model, piece)
                if hangs:
                    break
            else:
                found = self._run(model, piece)
                if not self._kept:  # it took longer than the budget, or has failed
                    found = None
            if found is not None:
                scores[done : done + len(piece)] = found
            done += len(piece)
            if done < len(rows):
                await asyncio.sleep(0)  # others, too, want to get on
        return Scored(model, scores, Unscored.NO_MODEL if self._failed == model.version else Unscored.BUDGET)

    async def _besides(self, model: Model, piece: Matrix) -> tuple[Found, bool]:
        """Run the model in its thread; returns what is there in time, and whether it is still at an earlier piece."""
        running = self._thread.submit(self._run, model, piece)
        await asyncio.wait([asyncio.wrap_future(running)], timeout=self._budget)
        if running.cancel():  # it has not begun
            return None, self._overdue is not None and not self._overdue.done()
        if not running.done():
            self._overdue = running
            return None, False
        return running.result(), False

    def close(self) -> None:
        """End the thread, once it is done with what it does."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def _piece(self) -> int:
        least, most = PIECE_ROWS
        return min(most, max(least, int(self._budget * PIECE_SHARE / self._row)))

    def _run(self, model: Model, piece: Matrix) -> Found:
        """Run the model; None if it fails."""
        begin = time.perf_counter()
        try:
            scores = model.scores(piece)
        except Exception:  # the runtime raises exceptions of many types
            if self._failed != model.version:
                log.exception("The model %s fails on transactions, which go on without a score", model)
            self._failed, self._kept = model.version, 0
            return None
        seconds = time.perf_counter() - begin
        self._row += (min(seconds / len(piece), self._row * MOST_LONGER) - self._row) * LATEST_SHARE
        self._kept = self._kept + 1 if seconds <= self._budget else 0
        if self._observe is not None:
            self._observe(Run(len(piece), seconds))
        return scores
