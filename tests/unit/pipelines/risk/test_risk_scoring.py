"""Scores within a budget: each piece of a batch has it, and what is not there in time goes on without a score."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_models import content, written

from streamapp.pipelines.risk.features import INPUTS
from streamapp.pipelines.risk.inference import Matrix, Model, read_model
from streamapp.pipelines.risk.models import Unscored
from streamapp.pipelines.risk.reloading import Reloaded
from streamapp.pipelines.risk.scoring import PIECE_ROWS, TRIED_RUNS, Run, Scorer

#: Longer than any machine takes for what these models do.
AMPLE_S = 30.0
SHORT_S = 0.02


Scores = Callable[[Matrix], NDArray[np.float64]]


class Told(Model):
    """A model that does what it is told, once it has been tried."""

    told: Scores | None = None

    def scores(self, rows: Matrix) -> NDArray[np.float64]:
        return super().scores(rows) if self.told is None else self.told(rows)

    @classmethod
    def of(cls, scores: Scores) -> Told:
        model = cls(content())
        model.told = scores
        return model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path, content())


@pytest.fixture
def scorer_of(path: Path) -> Iterator[Callable[..., Scorer]]:
    made: list[Scorer] = []

    def make(scores: Scores, budget: float, observe: Callable[[Run], None] | None = None) -> Scorer:
        models: Reloaded[Model] = Reloaded("model", path, lambda _: Told.of(scores))
        made.append(Scorer(models, budget, observe))
        return made[-1]

    yield make
    for scorer in made:
        scorer.close()


def rows(count: int) -> Matrix:
    return np.arange(count * len(INPUTS), dtype=np.float64).reshape(count, len(INPUTS))


def first(piece: Matrix) -> NDArray[np.float64]:
    return piece[:, 0]


@pytest.mark.parametrize("count", [0, 1, 16, 5_000])
def test_every_row_has_the_score_of_its_own(count: int, scorer_of: Callable[..., Scorer]) -> None:
    scored = asyncio.run(scorer_of(first, AMPLE_S).score(rows(count)))

    assert scored.scores.tolist() == rows(count)[:, 0].tolist()


def test_a_large_batch_is_cut_into_pieces(scorer_of: Callable[..., Scorer]) -> None:
    runs: list[Run] = []

    asyncio.run(scorer_of(first, AMPLE_S, runs.append).score(rows(5_000)))

    assert sum(run.rows for run in runs) == 5_000
    assert max(run.rows for run in runs) <= PIECE_ROWS[1]


def test_what_is_not_there_in_time_has_no_score_and_is_not_waited_for(scorer_of: Callable[..., Scorer]) -> None:
    go_on = threading.Event()
    asked: list[int] = []

    def slow(piece: Matrix) -> NDArray[np.float64]:
        asked.append(len(piece))
        go_on.wait(AMPLE_S)
        return first(piece)

    async def run() -> None:
        scorer = scorer_of(slow, SHORT_S)
        late = await scorer.score(rows(3_000))
        meanwhile = await scorer.score(rows(5))
        assert np.isnan(late.scores).all()
        assert np.isnan(meanwhile.scores).all()
        assert (late.unscored, meanwhile.unscored) == (Unscored.BUDGET, Unscored.BUDGET)
        assert len(asked) == 1  # nothing waits behind it

        go_on.set()
        async with asyncio.timeout(AMPLE_S):
            while np.isnan((await scorer.score(rows(5))).scores).any():  # noqa: ASYNC110 - a thread, not a task, ends
                await asyncio.sleep(0.01)

    try:
        asyncio.run(run())
    finally:
        go_on.set()


def test_a_model_that_is_slow_gets_smaller_pieces(scorer_of: Callable[..., Scorer]) -> None:
    clock = threading.Event()
    runs: list[Run] = []

    def slow(piece: Matrix) -> NDArray[np.float64]:
        clock.wait(len(piece) * 0.002)
        return first(piece)

    asyncio.run(scorer_of(slow, 1.0, runs.append).score(rows(500)))

    assert runs[1].rows < runs[0].rows


def test_a_model_that_has_kept_its_budget_is_run_without_its_thread(scorer_of: Callable[..., Scorer]) -> None:
    threads: list[threading.Thread] = []

    def noting(piece: Matrix) -> NDArray[np.float64]:
        threads.append(threading.current_thread())
        return first(piece)

    async def run() -> None:
        scorer = scorer_of(noting, AMPLE_S)
        for _ in range(TRIED_RUNS + 1):
            assert (await scorer.score(rows(2))).scores.tolist() == rows(2)[:, 0].tolist()

    asyncio.run(run())
    here = [thread is threading.main_thread() for thread in threads]
    assert here == [False] * TRIED_RUNS + [True]


def test_a_model_that_exceeds_its_budget_gives_no_score_and_goes_back_to_its_thread(
    scorer_of: Callable[..., Scorer],
) -> None:
    threads: list[threading.Thread] = []
    wait = threading.Event()

    def slow(piece: Matrix) -> NDArray[np.float64]:
        threads.append(threading.current_thread())
        if len(piece) == 3:
            wait.wait(1.5)
        return first(piece)

    async def run() -> None:
        scorer = scorer_of(slow, 1.0)
        for _ in range(TRIED_RUNS):
            await scorer.score(rows(2))
        late = await scorer.score(rows(3))
        assert np.isnan(late.scores).all()
        assert late.unscored is Unscored.BUDGET
        assert (await scorer.score(rows(2))).scores.tolist() == rows(2)[:, 0].tolist()

    asyncio.run(run())
    assert threads[-2] is threading.main_thread()
    assert threads[-1] is not threading.main_thread()


def test_without_a_model_there_are_no_scores(tmp_path: Path) -> None:
    scorer = Scorer(Reloaded("model", written(tmp_path, b"none"), read_model), AMPLE_S)

    scored = asyncio.run(scorer.score(rows(2)))

    assert np.isnan(scored.scores).all()
    assert (scored.model, scored.unscored) == (None, Unscored.NO_MODEL)


def test_a_model_that_fails_gives_no_scores_and_says_so_once(
    scorer_of: Callable[..., Scorer], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Matrix) -> NDArray[np.float64]:
        raise RuntimeError("out of range")

    scorer = scorer_of(broken, AMPLE_S)
    for _ in range(2):
        scored = asyncio.run(scorer.score(rows(2)))
        assert np.isnan(scored.scores).all()
        assert scored.unscored is Unscored.NO_MODEL

    assert [record.getMessage().split(" fails")[0] for record in caplog.records if record.levelname == "ERROR"] == [
        f"The model {scored.model}"
    ]


def test_a_batch_is_scored_by_one_model_though_another_one_comes(path: Path) -> None:
    swapped = Model(content(review=0.1))

    def swap(piece: Matrix) -> NDArray[np.float64]:
        models.current = swapped
        return first(piece)

    models: Reloaded[Model] = Reloaded("model", path, lambda _: Told.of(swap))
    old = models.current
    scorer = Scorer(models, AMPLE_S)

    async def run() -> None:
        assert (await scorer.score(rows(5_000))).model is old
        assert (await scorer.score(rows(1))).model is swapped

    asyncio.run(run())
    scorer.close()
