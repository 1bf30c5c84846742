"""How a model is made of generated traffic, and how good it is.

Generated traffic with planted fraud gets its features by the code of the agents (`Offline`), gradient-boosted trees are
fitted, and exported to ONNX with what the worker has to know of them in the metadata (`inference.Card`). Traffic of
other seeds, with other accounts and cases, says from which scores on to act; and that of again others how good it is.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from importlib.metadata import version
from typing import Final, TypeAlias

import lightgbm
import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from streamapp.joins import Event
from streamapp.pipelines.risk.features import INPUTS, row
from streamapp.pipelines.risk.inference import Card, Model, matrix
from streamapp.pipelines.risk.offline import Offline
from streamapp.pipelines.risk.quality import Labelled, Quality, quality, threshold
from streamapp.pipelines.risk.settings import TRANSACTIONS, RiskSettings
from streamapp.pipelines.risk.traffic import Traffic, generate
from streamapp.produce.timeline import Timeline

__all__ = ["Training", "sample", "train"]

Inputs: TypeAlias = NDArray[np.float32]

#: The event time (ms) at which the traffic begins.
BEGIN_MS: Final = 1_763_000_000_000
#: How often an account pays (ms), in the middle: the model is to know busy traffic and quiet one.
PACES_MS: Final = (3_000, 30_000, 180_000, 1_800_000)
BATCH_RECORDS: Final = 1_000
#: How much of what is to be reviewed is to be fraud, and of what is to be declined.
REVIEW_PRECISION, DECLINE_PRECISION = 0.8, 0.98
#: Trees, leaves of each, and how much each adds.
TREES, LEAVES = 80, 31
#: One thread and a fixed order: the same seed gives the same trees, bit by bit.
PARAMETERS: Final = {
    "objective": "binary",
    "num_leaves": LEAVES,
    "learning_rate": 0.08,
    "min_data_in_leaf": 40,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
OPSET: Final = 15
LIBRARIES: Final = ("lightgbm", "onnxmltools", "onnx", "onnxruntime", "numpy")


class Sample(msgspec.Struct, frozen=True):
    """Transactions with the model's inputs, and with what they are."""

    rows: NDArray[np.float64]
    times: NDArray[np.int64]
    cases: list[str]

    @property
    def planted(self) -> NDArray[np.bool_]:
        """Which are of a case."""
        return np.array([case != "" for case in self.cases], dtype=np.bool_)


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """The card of a model: how it was made, and how good it is."""

    version: str
    sha256: str
    seed: int
    shares: Mapping[str, float]
    #: Transactions for the fit, for the thresholds, and for the quality; each of seeds of their own.
    transactions: Mapping[str, int]
    paces_ms: tuple[int, ...]
    inputs: tuple[str, ...]
    trees: int
    leaves: int
    review: float
    decline: float
    reviewed: Quality
    declined: Quality
    #: How far scores of the exported model are from those of the one that was fitted, at most: it has thresholds of 32
    #: bits. The quality is that of the exported one.
    export_error: float
    libraries: Mapping[str, str]


class _Planted(msgspec.Struct, frozen=True):
    transaction_id: str
    planted: str = ""


_planted = msgspec.json.Decoder(_Planted).decode


def sample(traffic: Traffic, pace: float) -> Sample:
    """Return the transactions of traffic in which an account pays so often (ms), with their features."""
    offline = Offline(int(RiskSettings().risk_grace * 1000))
    rows: list[tuple[float | None, ...]] = []
    times, cases = [], []
    records = generate(traffic, Timeline(BEGIN_MS, pace / traffic.accounts))
    while batch := list(itertools.islice(records, BATCH_RECORDS)):
        for record in batch:
            if record.topic != TRANSACTIONS:
                offline.keep(record.value or b"")
        events = [Event(one.key, one.value, one.timestamp) for one in batch if one.topic == TRANSACTIONS]
        candidates, _ = offline.process(events)
        rows += map(row, candidates)
        times += [one.time for one in candidates]
        cases += [_planted(event.value or b"").planted for event in events]
    return Sample(matrix(rows), np.array(times, dtype=np.int64), cases)


def _samples(traffic: Traffic, seed: int, per_pace: int) -> Sample:
    """Return traffic of all paces, each with a seed of its own."""
    parts = []
    for number, pace in enumerate(PACES_MS):
        own = msgspec.structs.replace(traffic, seed=seed + number, transactions=per_pace)
        part = sample(own, pace)
        named = [f"{number}:{case}" if case else "" for case in part.cases]
        parts.append(msgspec.structs.replace(part, cases=named))
    return Sample(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.times for part in parts]),
        [case for part in parts for case in part.cases],
    )


def train(traffic: Traffic, transactions: int) -> tuple[bytes, Training, Labelled]:
    """Return a model as an ONNX file, its card, and the scores by which its quality was measured.

    Args:
        traffic: what it learns from; that of the seeds after its own says how good it is.
        transactions: so many of each pace.
    """
    fitted, chosen, measured = (
        _samples(traffic, traffic.seed + 100 * number, count)
        for number, count in enumerate((transactions, transactions // 2, transactions // 2))
    )
    data = lightgbm.Dataset(_floats(fitted), fitted.planted)
    trees = lightgbm.train({**PARAMETERS, "seed": traffic.seed}, data, TREES)
    name = f"trees-{traffic.seed}"
    exported = Model(_exported(trees, Card(name, INPUTS)))
    on_chosen = _labelled(exported, chosen)
    review, decline = (threshold(on_chosen, least) for least in (REVIEW_PRECISION, DECLINE_PRECISION))
    content = _exported(trees, Card(name, INPUTS, review, max(review, decline)))
    model = Model(content)
    labelled = _labelled(model, measured)
    own = np.asarray(trees.predict(_floats(measured)))
    card = Training(
        version=model.version,
        sha256=hashlib.sha256(content).hexdigest(),
        seed=traffic.seed,
        shares={str(kind): share for kind, share in traffic.shares.items()},
        transactions={"fit": len(fitted.cases), "thresholds": len(chosen.cases), "quality": len(measured.cases)},
        paces_ms=PACES_MS,
        inputs=INPUTS,
        trees=TREES,
        leaves=LEAVES,
        review=review,
        decline=model.card.decline,
        reviewed=quality(labelled, review),
        declined=quality(labelled, model.card.decline),
        export_error=round(float(np.max(np.abs(own - labelled.scores))), 6),
        libraries={library: version(library) for library in LIBRARIES},
    )
    return content, card, labelled


def _labelled(model: Model, part: Sample) -> Labelled:
    return Labelled(model.scores(part.rows), part.times, part.cases)


def _floats(part: Sample) -> Inputs:
    return part.rows.astype(np.float32)


def _exported(trees: lightgbm.Booster, card: Card) -> bytes:
    """Return fitted trees as an ONNX file."""
    inputs = [("inputs", FloatTensorType([None, len(INPUTS)]))]
    exported = convert_lightgbm(trees, card.version, inputs, zipmap=False, target_opset=OPSET)
    properties = {field: msgspec.json.encode(value).decode() for field, value in msgspec.structs.asdict(card).items()}
    onnx.helper.set_model_props(exported, properties)
    imports = sorted(exported.opset_import, key=lambda one: one.domain)  # they come in any order
    del exported.opset_import[:]
    exported.opset_import.extend(imports)
    return bytes(exported.SerializeToString(deterministic=True))
