"""The training: the same seed gives the same model, and its quality is that of its card."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

import streamapp.pipelines.risk as package
from streamapp.pipelines.risk.features import INPUTS
from streamapp.pipelines.risk.fitting import Training, sample, train
from streamapp.pipelines.risk.inference import Model, read_model
from streamapp.pipelines.risk.quality import Labelled, quality, threshold
from streamapp.pipelines.risk.roc import draw
from streamapp.pipelines.risk.traffic import Traffic

PACKAGED = Path(package.__file__).parent / "model"
SMALL = Traffic(accounts=200, seed=3, card_testing_share=0.05, take_over_share=0.02, mule_share=0.02)
MINUTE = 60_000


def labelled(*one: tuple[float, int, str]) -> Labelled:
    scores, minutes, cases = zip(*one, strict=True)
    return Labelled(np.array(scores), np.array(minutes) * MINUTE, list(cases))


SIX = labelled(
    (0.9, 0, ""), (0.2, 0, "mule-1"), (0.8, 3, "mule-1"), (0.7, 4, "mule-1"), (0.1, 5, "mule-2"), (0.0, 6, "")
)


@pytest.fixture(scope="module")
def trained() -> tuple[bytes, Training, Labelled]:
    return train(SMALL, 2_000)


def test_the_same_seed_gives_the_same_model_bit_by_bit(trained: tuple[bytes, Training, Labelled]) -> None:
    again, card, _ = train(SMALL, 2_000)

    assert (again, card) == trained[:2]


def test_the_exported_model_scores_as_the_one_that_was_fitted(trained: tuple[bytes, Training, Labelled]) -> None:
    # ONNX has thresholds as floats of 32 bits: what lies between a threshold and that may take the other branch.
    assert trained[1].export_error < 0.02


def test_the_model_says_of_itself_what_its_card_says(trained: tuple[bytes, Training, Labelled]) -> None:
    content, card, _ = trained
    model = Model(content)

    assert model.version == card.version
    assert model.card.inputs == card.inputs == INPUTS
    assert (model.card.review, model.card.decline) == (card.review, card.decline)
    assert hashlib.sha256(content).hexdigest() == card.sha256


def test_precision_and_recall_are_of_what_is_taken_for_fraud() -> None:
    found = quality(SIX, 0.5)

    assert (found.precision, found.recall, found.false_positives) == (0.6667, 0.5, 0.5)
    assert (found.transactions, found.planted) == (6, 4)


def test_a_case_is_caught_when_the_first_of_its_transactions_is_found() -> None:
    (mules,) = quality(SIX, 0.5).caught.values()

    assert mules.cases == 2
    assert mules.within_minutes == {"0": 0.0, "1": 0.0, "2": 0.0, "5": 0.5, "10": 0.5, "20": 0.5}


def test_the_threshold_is_the_lowest_score_with_the_precision() -> None:
    assert threshold(SIX, 0.7) == 0.1
    assert threshold(SIX, 0.9) == 1.0


def test_the_roc_curve_is_a_picture(tmp_path: Path, trained: tuple[bytes, Training, Labelled]) -> None:
    draw(trained[2], trained[1], tmp_path / "roc.png")

    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_in_the_package_is_the_one_of_its_card() -> None:
    card = msgspec.json.decode((PACKAGED / "card.json").read_bytes(), type=Training)
    model = read_model(PACKAGED / "risk.onnx")

    assert (card.sha256, card.version) == (
        hashlib.sha256((PACKAGED / "risk.onnx").read_bytes()).hexdigest(),
        model.version,
    )
    assert (PACKAGED / "roc.png").is_file()


def test_the_model_in_the_package_finds_fraud_in_traffic_that_it_has_not_seen() -> None:
    part = sample(Traffic(accounts=500, transactions=20_000, seed=9_001), 60_000)
    model = read_model(PACKAGED / "risk.onnx")

    found = quality(Labelled(model.scores(part.rows), part.times, part.cases), model.card.review)

    assert found.auc > 0.99
    assert found.recall > 0.85
    assert found.precision > 0.6
