"""What is to become of a transaction: by the score, by the rules, and what a result says of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from onnx_models import VERSION, content, written

from streamapp.pipelines.risk.deciding import Thresholds, decide
from streamapp.pipelines.risk.inference import read_model
from streamapp.pipelines.risk.models import Candidate, Decision, Features, Score, Transaction, Unscored
from streamapp.pipelines.risk.reloading import Reloaded
from streamapp.pipelines.risk.rules import Rule, Rules
from streamapp.pipelines.risk.scoring import Scorer

#: By the model of these tests the score is 0.5 for 0, over 0.9 from 3 on, and under 0.1 up to -3.
MILD, MIDDLE, STRICT = -3, 0, 3
AMPLE_S = 30.0


def candidate(count: int | None, *, late: bool = False, amount: float = 5.0) -> Candidate:
    features = Features() if late else Features(ip_count_1m=count)
    return Candidate(Transaction("t1", "a1", "10.0.0.1", amount), features, 1_000, late)


@pytest.fixture
def decided(tmp_path: Path):
    scorer = Scorer(Reloaded("model", written(tmp_path, content(review=0.5, decline=0.9)), read_model), AMPLE_S)

    def run(*candidates: Candidate, rules: Rules | None = None, thresholds: Thresholds = Thresholds()) -> list[Score]:  # noqa: B008
        return asyncio.run(decide(candidates, scorer, rules, thresholds))

    yield run
    scorer.close()


def test_the_decision_is_by_the_thresholds_of_the_model(decided) -> None:
    scores = decided(candidate(MILD), candidate(MIDDLE), candidate(STRICT))

    assert [one.decision for one in scores] == [Decision.ACCEPT, Decision.REVIEW, Decision.DECLINE]
    assert [one.reasons for one in scores] == [
        (),
        ("score 0.500, review from 0.5",),
        ("score 0.953, decline from 0.9",),
    ]


def test_the_thresholds_of_the_settings_go_before_those_of_the_model(decided) -> None:
    scores = decided(candidate(MIDDLE), candidate(STRICT), thresholds=Thresholds(review=0.6, decline=0.99))

    assert [one.decision for one in scores] == [Decision.ACCEPT, Decision.REVIEW]


def test_a_rule_makes_the_decision_stricter_and_never_milder(decided) -> None:
    rules = Rules(
        [
            Rule("any", "amount > 0", Decision.REVIEW, "it is money"),
            Rule("large", "amount > 100", Decision.DECLINE),
        ]
    )

    small, large, strict = decided(candidate(MILD), candidate(MILD, amount=500), candidate(STRICT), rules=rules)

    assert (small.decision, small.rules, small.reasons) == (Decision.REVIEW, ("any",), ("it is money",))
    assert (large.decision, large.rules) == (Decision.DECLINE, ("any", "large"))
    assert large.reasons == ("it is money", "large")
    assert (strict.decision, strict.rules) == (Decision.DECLINE, ("any",))


def test_rules_see_the_score(decided) -> None:
    rules = Rules([Rule("unsure", "0.4 < score < 0.6 and account_count_1h > 0", Decision.DECLINE)])

    assert [one.rules for one in decided(candidate(MIDDLE), candidate(STRICT), rules=rules)] == [(), ()]


def test_a_late_transaction_is_decided_by_rules_only(decided) -> None:
    rules = Rules([Rule("late", "late and amount > 1", Decision.REVIEW)])

    late, in_time = decided(candidate(None, late=True), candidate(STRICT), rules=rules)

    assert (late.score, late.unscored, late.late) == (None, Unscored.LATE, True)
    assert (late.decision, late.features) == (Decision.REVIEW, Features())
    assert (in_time.unscored, in_time.late, in_time.decision) == (None, False, Decision.DECLINE)


def test_without_a_model_rules_decide(tmp_path: Path) -> None:
    scorer = Scorer(Reloaded("model", written(tmp_path, b""), read_model), AMPLE_S)
    rules = Rules([Rule("any", "score > 0 or amount > 0", Decision.REVIEW)])

    (score,) = asyncio.run(decide([candidate(STRICT)], scorer, rules, Thresholds()))

    assert (score.score, score.unscored, score.model) == (None, Unscored.NO_MODEL, None)
    assert score.decision is Decision.REVIEW


def test_a_batch_of_none_has_no_scores(decided) -> None:
    assert decided() == []


def test_a_result_says_of_what_it_is_and_by_which_model(decided) -> None:
    (score,) = decided(candidate(MIDDLE))
    told = msgspec.json.decode(msgspec.json.encode(score))

    assert told.pop("features") == {**dict.fromkeys(Features.__struct_fields__), "ip_count_1m": 0}
    assert told.pop("model").startswith(f"{VERSION}+")
    assert told == {
        "transaction_id": "t1",
        "account": "a1",
        "ip": "10.0.0.1",
        "amount": 5.0,
        "time": 1_000,
        "score": 0.5,
        "unscored": None,
        "decision": "review",
        "rules": [],
        "reasons": ["score 0.500, review from 0.5"],
        "late": False,
    }
