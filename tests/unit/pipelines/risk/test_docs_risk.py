"""The page on risk: what it shows is so, and its figures are those of the model in the package."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx_models import content

import streamapp.pipelines.risk as package
from streamapp.pipelines.risk.features import FEATURES
from streamapp.pipelines.risk.fitting import Training
from streamapp.pipelines.risk.fraud import Fraud
from streamapp.pipelines.risk.inference import read_model
from streamapp.pipelines.risk.models import AccountProfile, Score, Transaction
from streamapp.pipelines.risk.rules import read_rules

PAGE = (Path(__file__).parents[4] / "docs" / "risk.md").read_text()
CARD = msgspec.json.decode((Path(package.__file__).parent / "model/card.json").read_bytes(), type=Training)


def block(kind: str, has: str = "") -> str:
    return next(text for text in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) if has in text)


def test_the_records_are_such_as_it_shows() -> None:
    assert msgspec.json.decode(block("json", '"t1"'), type=Transaction).ip == "2001:db8::7"
    assert msgspec.json.decode(re.findall(r"`({\"account\".*?})`", PAGE)[0], type=AccountProfile).limit == 500
    score = msgspec.json.decode(block("json", '"unscored"'), type=Score)
    assert [*msgspec.json.decode(block("json", '"unscored"'))] == [*msgspec.structs.asdict(score)]


def test_it_names_all_features_and_all_kinds_of_fraud() -> None:
    assert all(f"`{name}`" in PAGE for name in (*FEATURES, *Fraud))


def test_the_rules_can_be_used_as_it_shows_them(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(block("toml"))

    assert [rule.name for rule in read_rules(tmp_path / "rules.toml").rules] == ["card testing"]


def test_an_own_model_is_taken_as_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bare = onnx.load_from_string(content(("amount", "ip_count_1m", "account_deviation")))
    del bare.metadata_props[:]
    Path("mine.onnx").write_bytes(bare.SerializeToString())

    exec(block("python"), {})  # noqa: S102 - of this repository

    card = read_model(Path("mine.onnx.new")).card
    assert (card.version, card.review, card.decline) == ("mine-7", 0.4, 0.95)


def percent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f} %"


@pytest.mark.parametrize(("name", "found"), [("review", CARD.reviewed), ("decline", CARD.declined)])
def test_the_quality_is_that_of_the_model_in_the_package(name: str, found) -> None:
    cells = (
        name,
        f"{found.threshold:g}",
        percent(found.precision, 1),
        percent(found.recall, 1),
        percent(found.false_positives, 2),
    )
    assert f"| {' | '.join(cells)} |" in PAGE
    for kind, caught in found.caught.items():
        shares = " | ".join(percent(share, 0) for share in caught.within_minutes.values())
        assert f"| `{kind}`, {name}{'d' if name == 'decline' else 'ed'} | {caught.cases} | {shares} |" in PAGE
    assert f"AUC {found.auc:.4f}" in PAGE
