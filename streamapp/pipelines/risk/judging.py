"""The judge of the transactions: the model and the rules, as their files are by now."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from streamapp.application import App
from streamapp.extras import Extra, require
from streamapp.pipelines.risk.metrics import RiskMetrics
from streamapp.pipelines.risk.reloading import CHECK_S, Reloaded
from streamapp.pipelines.risk.settings import RiskSettings
from streamapp.runtime.batch import Batch
from streamapp.web.panels import Panel

if TYPE_CHECKING:
    from streamapp.pipelines.risk.inference import Model
    from streamapp.pipelines.risk.models import Candidate, Score
    from streamapp.pipelines.risk.rules import Rules
    from streamapp.pipelines.risk.scoring import Run, Scorer

__all__ = ["Judge"]

#: What is in the package.
PACKAGED: Final = Path(__file__).parent


@dataclasses.dataclass(eq=False)
class Judge:
    """Decides on transactions.

    What it needs is an extra, and imported when a worker starts: an app without it can be asked and reset all the same.
    """

    app: App
    settings: RiskSettings

    def __post_init__(self) -> None:
        self._metrics = RiskMetrics(self.app.metrics.registry)
        self._models: Reloaded[Model]
        self._rules: Reloaded[Rules]
        self._scorer: Scorer
        self.app.before_start.append(self.load)
        self.app.task(self.watch)

    def load(self) -> None:
        """Read the model and the rules.

        Raises:
            StreamappError: if there is no such file, or the packages that run a model are missing.
        """
        require(Extra.RISK)
        from streamapp.pipelines.risk.deciding import Thresholds, decide
        from streamapp.pipelines.risk.inference import read_model
        from streamapp.pipelines.risk.rules import read_rules
        from streamapp.pipelines.risk.scoring import Scorer

        settings = self.settings
        self._models = Reloaded("model", settings.risk_model or PACKAGED / "model" / "risk.onnx", read_model)
        self._rules = Reloaded("rules", settings.risk_rules or PACKAGED / "rules.toml", read_rules)
        self._scorer = Scorer(self._models, settings.risk_budget / 1000, self._ran)
        self._decide = partial(decide, thresholds=Thresholds(settings.risk_review, settings.risk_decline))

    async def decide(self, batch: Batch, candidates: Sequence[Candidate]) -> Sequence[Score]:
        """Return what is thought of transactions of a batch; they are counted once the agent is done with it."""
        scores = await self._decide(candidates, self._scorer, self._rules.current)
        batch.work.effects.append(partial(self._metrics.count, scores))
        return scores

    def panel(self, topic: str) -> Panel:
        """Return what the page shows of the decisions, with the newest results of a topic."""
        return self._metrics.panel(topic)

    async def watch(self) -> None:
        """Take each new version of the files."""
        files: tuple[tuple[str, Reloaded[Any]], ...] = (("model", self._models), ("rules", self._rules))
        while True:
            for what, file in files:
                if file.problem:
                    self.app.faults.report((Judge, what), file.problem)
                else:
                    self.app.faults.over((Judge, what))
                self._metrics.files(what, file.taken, file.refused)
            self._metrics.model(model.version if (model := self._models.current) else None)
            await asyncio.sleep(CHECK_S)
            for _, file in files:
                await file.check()

    def _ran(self, run: Run) -> None:
        self._metrics.ran(run.rows, run.seconds)
