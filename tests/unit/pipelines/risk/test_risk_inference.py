"""A model is taken if it is one, and says which of the features it takes; if not, one line says why."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx_models import VERSION, content, written

from streamapp.pipelines.risk.features import INPUTS
from streamapp.pipelines.risk.inference import Model, ModelError, matrix, read_model

NULLS: list[float | None] = [None] * len(INPUTS)


def inputs(**named: float | None) -> tuple[float | None, ...]:
    return tuple(named.get(name) for name in INPUTS)


def sigmoid(number: float) -> float:
    return 1 / (1 + math.exp(-number))


def test_a_model_takes_the_inputs_that_it_names_in_its_order() -> None:
    rows = matrix([inputs(amount=1.0, ip_count_1m=5.0), inputs(amount=2.0)])

    assert Model(content(("ip_count_1m", "amount"))).scores(rows) == pytest.approx([sigmoid(1), sigmoid(2)])
    assert Model(content(("amount", "ip_count_1m"))).scores(rows) == pytest.approx([sigmoid(5), sigmoid(0)])


def test_null_is_nan_to_the_model() -> None:
    assert np.isnan(matrix([tuple(NULLS)])).all()
    assert matrix([]).shape == (0, len(INPUTS))


def test_the_version_says_which_file_it_is() -> None:
    one, other = Model(content()), Model(content(review=0.4))

    assert one.version.startswith(f"{VERSION}+")
    assert one.version != other.version
    assert Model(content()).version == one.version


def test_the_thresholds_are_those_of_the_metadata() -> None:
    card = Model(content(review=0.25, decline=0.75)).card

    assert (card.review, card.decline) == (0.25, 0.75)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "it is no ONNX model"),
        (b"not a model", "it is no ONNX model"),
        (content()[:-40], "it is no ONNX model|metadata"),
        (content(version=...), "missing required field `version`"),
        (content(inputs=("amount", "ip_count_2m")), "it takes ip_count_2m; there are amount, ip_count_1m"),
        (content(columns=3), "it takes 3 columns, and its metadata name 2"),
        (content(rows=8), "it takes 8 rows at a time"),
        (content(kind=TensorProto.DOUBLE), "one input, a matrix of floats"),
        (content(operator="Relu"), "its scores must be from 0 to 1"),
        (content(review=2.0), "<= 1"),
        (content(review=0.9, decline=0.5), "review, 0.9, is above decline, 0.5"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_in_one_line(data: bytes, why: str, tmp_path: Path) -> None:
    path = written(tmp_path, data)

    with pytest.raises(ModelError, match=why) as raised:
        read_model(path)

    assert str(raised.value).startswith(str(path))
    assert len(str(raised.value).splitlines()) == 1


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: No such file"):
        read_model(tmp_path / "none.onnx")


def test_numbers_beyond_those_of_the_model_are_no_error() -> None:
    assert Model(content()).scores(matrix([inputs(ip_count_1m=1e300)])) == pytest.approx([1.0])
