"""The ROC curve of a model, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from streamapp.pipelines.risk.quality import Labelled, Quality

__all__ = ["draw"]

SIZE_INCHES: Final = (6.0, 4.5)
DPI: Final = 120


class Measured(Protocol):
    """A model whose quality was measured."""

    @property
    def version(self) -> str:
        """Its name."""

    @property
    def reviewed(self) -> Quality:
        """From the score on from which transactions are reviewed."""

    @property
    def declined(self) -> Quality:
        """From the score on from which they are declined."""


def draw(labelled: Labelled, card: Measured, path: Path) -> None:
    """Draw it into a file; the false positives on a scale of logarithms, since there are few."""
    false, true, _ = roc_curve(labelled.planted, labelled.scores)
    with mpl.rc_context({"font.size": 10}):
        figure = Figure(SIZE_INCHES, DPI)
        axes = figure.add_subplot()
        axes.plot(np.maximum(false, 1e-5), true, color="#1f77b4", label=f"{card.version}: AUC {card.reviewed.auc:.4f}")
        for name, one, mark in (("review", card.reviewed, "o"), ("decline", card.declined, "s")):
            text = f"{name} from {one.threshold:g}: precision {one.precision:.3f}, recall {one.recall:.3f}"
            axes.plot(max(one.false_positives, 1e-5), one.recall, mark, color="#d62728", label=text)
        axes.set(xscale="log", xlim=(1e-5, 1), ylim=(0, 1.02))
        axes.set(xlabel="honest transactions taken for fraud", ylabel="planted fraud found")
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right", fontsize=8)
        figure.tight_layout()
        figure.savefig(path, metadata={"Software": None})
