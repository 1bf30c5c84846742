"""A model: an ONNX file that says which of the features it takes, and what scores mean."""

from __future__ import annotations

import hashlib
import math
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from streamapp.errors import StreamappError
from streamapp.pipelines.risk.features import INPUTS

__all__ = ["Card", "Matrix", "Model", "ModelError", "matrix", "read_model"]

#: The inputs of transactions, a row each with a column for each of `INPUTS`; NaN is null.
Matrix: TypeAlias = NDArray[np.float64]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

#: Digits of the file's SHA-256 in the version.
DIGEST_DIGITS: Final = 8
#: What scores may have outside of 0 to 1 for rounding.
ROUNDING: Final = 1e-6


class ModelError(StreamappError):
    """A model that cannot be used; its text is one line that names the file."""


class Card(msgspec.Struct, frozen=True):
    """What a model says of itself, in its metadata: each field is a property, in JSON.

    Args:
        version: its name.
        inputs: the names of its columns, in their order, some of `INPUTS`.
        review: score from which a transaction is to be reviewed.
        decline: score from which it is to be declined.
    """

    version: str
    inputs: tuple[str, ...]
    review: Share = 0.5
    decline: Share = 0.9


class Model:
    """A model at work; it has one thread.

    Args:
        content: of the ONNX file.

    Raises:
        ValueError: if it cannot be used.
    """

    def __init__(self, content: bytes) -> None:
        self._session = _session(content)
        self.card = _card(self._session.get_modelmeta().custom_metadata_map)
        self.version = f"{self.card.version}+{hashlib.sha256(content).hexdigest()[:DIGEST_DIGITS]}"
        inputs = self.card.inputs
        #: All of them in their order need not be picked, which takes a copy.
        self._columns: slice | list[int] = slice(None) if inputs == INPUTS else [INPUTS.index(name) for name in inputs]
        self._input = _input(self._session, len(inputs))
        self._output = _output(self._session)
        self._try()

    def __str__(self) -> str:
        return f"{self.version} ({len(self.card.inputs)} inputs)"

    def scores(self, rows: Matrix) -> NDArray[np.float64]:
        """Return the scores of rows."""
        with np.errstate(over="ignore"):
            taken = rows[:, self._columns].astype(np.float32)
        (found,) = self._session.run([self._output], {self._input: taken})
        return np.asarray(found, dtype=np.float64).reshape(len(rows), -1)[:, -1]

    def _try(self) -> None:
        """Run it on what there may be, and see whether that gives scores."""
        rows = np.array([[math.nan] * len(INPUTS), [0.0] * len(INPUTS), [1e300] * len(INPUTS)])
        for count in (len(rows), 1):
            try:
                scores = self.scores(rows[:count])
            except Exception as exc:  # the runtime raises exceptions of many types
                raise ValueError(f"it does not run: {_line(exc)}") from None
            if not np.all((scores >= -ROUNDING) & (scores <= 1 + ROUNDING)):
                raise ValueError(f"its scores must be from 0 to 1, and are {scores.tolist()}")


def matrix(rows: list[tuple[float | None, ...]]) -> Matrix:
    """Return the inputs of transactions, of rows as `features.row` makes them."""
    count = len(rows) * len(INPUTS)
    return np.fromiter(chain.from_iterable(rows), np.float64, count).reshape(len(rows), len(INPUTS))


def read_model(path: Path) -> Model:
    """Return the model of a file.

    Raises:
        ModelError: if it cannot be used.
    """
    try:
        return Model(path.read_bytes())
    except OSError as exc:
        raise ModelError(f"{path}: {exc.strerror}") from None
    except ValueError as exc:
        raise ModelError(f"{path}: {exc}") from None


def _session(content: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # the runtime raises exceptions of many types
        raise ValueError(f"it is no ONNX model that can be run here: {_line(exc)}") from None


def _card(properties: dict[str, str]) -> Card:
    """Return what a model's metadata say."""
    try:
        found = {name: msgspec.json.decode(properties[name]) for name in Card.__struct_fields__ if name in properties}
        card = msgspec.convert(found, Card)
    except msgspec.DecodeError as exc:
        raise ValueError(f"its metadata do not say what it takes: {exc}") from None
    if unknown := [name for name in card.inputs if name not in INPUTS]:
        raise ValueError(f"it takes {', '.join(unknown)}; there are {', '.join(INPUTS)}")
    if card.review > card.decline:
        raise ValueError(f"its metadata: review, {card.review}, is above decline, {card.decline}")
    return card


def _input(session: onnxruntime.InferenceSession, columns: int) -> str:
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 2:
        raise ValueError("it must have one input, a matrix of floats (tensor(float))")
    (found,) = inputs
    if isinstance(found.shape[0], int):
        raise ValueError(f"it takes {found.shape[0]} rows at a time, and must take any number")  # noqa: TRY004
    if isinstance(found.shape[1], int) and found.shape[1] != columns:
        raise ValueError(f"it takes {found.shape[1]} columns, and its metadata name {columns}")
    return str(found.name)


def _output(session: onnxruntime.InferenceSession) -> str:
    """Return the name of the output that has the scores: the last one of floats."""
    names = [str(output.name) for output in session.get_outputs() if output.type == "tensor(float)"]
    if not names:
        raise ValueError("it has no output of floats: a score, or one a class, of which the last one is fraud")
    return names[-1]


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:200]}…"
