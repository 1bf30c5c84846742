"""Three versions of one detector, with the same results: compiled by numba, in numpy, and in plain Python."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeAlias, cast

import numpy as np

from streamapp.extras import MissingExtraError
from streamapp.pipelines.sensors import kernel, plain, vectors
from streamapp.pipelines.sensors.arrays import Floats, Integers
from streamapp.pipelines.sensors.kernel import EVIDENCE
from streamapp.pipelines.sensors.settings import Kind

__all__ = ["Engine", "Judge", "Kind"]

logger = logging.getLogger(__name__)

#: Judges readings, as `streamapp.pipelines.sensors.kernel.judge` does.
Judge: TypeAlias = Callable[
    [Floats, Floats, Integers, Floats, Floats, Floats, Floats, Integers, Floats],
    None,
]
#: Its arguments, for numba: with them it compiles at once, and not when it is called first.
SIGNATURE = (
    "void(float64[:,::1], float64[:,::1], int64[::1], float64[::1], float64[::1], float64[::1], float64[::1], "
    "int64[::1], float64[:,::1])"
)


class Engine:
    """Judges the readings of a batch.

    Args:
        kind: which version does it.

    Raises:
        MissingExtraError: if numba is asked for by its name, and is not installed.
    """

    def __init__(self, kind: Kind = Kind.AUTO) -> None:
        if kind is Kind.NUMBA and find_spec("numba") is None:
            raise MissingExtraError("judging readings by numba needs pip install 'streamapp[sensors]'")
        #: Whether the one of numpy has to do.
        self.second_choice = kind is Kind.AUTO and find_spec("numba") is None
        if kind is Kind.AUTO:
            kind = Kind.NUMPY if self.second_choice else Kind.NUMBA
        self.kind = kind
        self._judge: Judge | None = {Kind.NUMPY: vectors.judge, Kind.PYTHON: plain.judge}.get(kind)

    def prepare(self) -> None:
        """Compile what is to be compiled, or load it from where it was kept; it takes seconds the first time."""
        if self._judge is None:
            self._judge = _compiled()

    def __call__(
        self,
        devices: Floats,
        seasons: Floats,
        slots: Integers,
        times: Floats,
        values: Floats,
        clock: float,
        limits: Floats,
    ) -> tuple[Integers, Floats]:
        """Judge readings, and learn from them, as `kernel.judge` says; returns what was found, and the evidence."""
        clocks = np.maximum.accumulate(np.maximum(times, clock))
        found, evidence = np.zeros(len(slots), np.int64), np.empty((len(slots), EVIDENCE))
        if self._judge is None:
            self.prepare()
        cast(Judge, self._judge)(devices, seasons, slots, times, values, clocks, limits, found, evidence)
        return found, evidence


def _compiled() -> Judge:
    import numba

    try:
        return cast(Judge, numba.njit(SIGNATURE, cache=True)(kernel.judge))
    except RuntimeError as exc:  # there is no directory that it may write to
        logger.warning("The detector is compiled anew at each start: %s (NUMBA_CACHE_DIR names a directory)", exc)
        return cast(Judge, numba.njit(SIGNATURE)(kernel.judge))
