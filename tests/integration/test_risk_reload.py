"""Model and rules are taken from their files while transactions go through; what is broken changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from risk_models import replace, write_model
from risky import HOUR, metric, scores, wait_scored
from topics import Topics
from worker import Worker, wait_until

RULE = '[[rule]]\nname = "{name}"\nwhen = "{when}"\ndecision = "decline"\nreason = "because"\n'


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "risk-reload", partitions=1)
    topics.now -= HOUR
    topics.create("transactions", "accounts")
    return topics


@pytest.fixture
def settings(topics: Topics, tmp_path: Path) -> dict[str, Any]:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE.format(name="large", when="amount > 1000"))
    model = write_model(tmp_path / "model.onnx", "first")
    return {
        "pipelines": "risk",
        "store": "memory://",
        "risk_model": model,
        "risk_rules": rules,
        "risk_budget": 5_000,
        **topics.settings,
    }


def judged(topics: Topics, amount: float) -> dict[str, Any]:
    """Send a transaction, and return what was thought of it."""
    number = len(scores(topics)) if topics.exists("transaction_scores") else 0
    value = {"transaction_id": f"t{number}", "account": "a", "ip": "10.0.0.1", "amount": amount}
    topics.send("transactions", "a", value, at=number)
    topics.flush()
    wait_scored(topics, number + 1)
    (score,) = scores(topics)[f"t{number}"]
    return score


def version(score: dict[str, Any]) -> str:
    return str(score["model"]).partition("+")[0]


def test_a_new_model_is_taken_while_it_runs_and_a_broken_one_is_not(
    topics: Topics, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with Worker(tmp_path, **settings) as worker:
        first = judged(topics, 40)
        assert (version(first), first["score"], first["decision"]) == ("first", pytest.approx(0.4), "accept")
        write_model(settings["risk_model"], "second", decline=0.6)
        wait_until(lambda: version(judged(topics, 1)) == "second", "the new one is taken")
        assert worker.problems() == []
        replace(settings["risk_model"], b"no model")
        wait_until(worker.problems, "the broken one is told")
        (problem,) = worker.problems()
        assert problem.startswith("the model cannot be used, the one from before stays: ")
        assert str(settings["risk_model"]) in problem
        assert (version(judged(topics, 1)), worker.answers("/health/ready")) == ("second", None)
        assert metric(worker, "streamapp_risk_files")['outcome="refused",what="model"'] == 1
        (used,) = metric(worker, "streamapp_risk_model")
        assert used.startswith('version="second+')
        write_model(settings["risk_model"], "third")
        wait_until(lambda: version(judged(topics, 1)) == "third", "the next one is taken")
        wait_until(lambda: worker.problems() == [], "all is well")
        assert worker.log.count("The model cannot be used") == 1


def test_new_rules_are_taken_while_it_runs_and_broken_ones_are_not(
    topics: Topics, tmp_path: Path, settings: dict[str, Any]
) -> None:
    rules: Path = settings["risk_rules"]
    with Worker(tmp_path, **settings) as worker:
        assert judged(topics, 30)["rules"] == []
        replace(rules, RULE.format(name="any", when="amount > 20").encode())
        wait_until(lambda: judged(topics, 30)["rules"] == ["any"], "they are taken")
        replace(rules, RULE.format(name="odd", when="amonut > 20").encode())
        wait_until(worker.problems, "the broken ones are told")
        (problem,) = worker.problems()
        assert "odd" in problem
        assert "amonut" in problem
        score = judged(topics, 30)
        assert (score["rules"], score["decision"], score["reasons"]) == (["any"], "decline", ["because"])
    (alert, *_) = [json.loads(message.value()) for message in topics.read("risk_alerts")]
    assert alert["decision"] == "decline"


def test_what_the_model_takes_too_long_for_goes_on_without_a_score(
    topics: Topics, tmp_path: Path, settings: dict[str, Any]
) -> None:
    write_model(settings["risk_model"], "slow", slow=True)
    with Worker(tmp_path, **settings | {"risk_budget": 0.1}) as worker:
        score = judged(topics, 2_000)
        assert (score["score"], score["unscored"], version(score)) == (None, "budget", "slow")
        assert (score["rules"], score["decision"]) == (["large"], "decline")
        assert metric(worker, "streamapp_risk_unscored_total")['reason="budget"'] == 1
        assert metric(worker, "streamapp_risk_scored_total")[""] == 0


def test_a_start_without_a_model_is_refused_in_one_line(
    topics: Topics, tmp_path: Path, settings: dict[str, Any]
) -> None:
    settings["risk_model"] = tmp_path / "missing.onnx"
    with Worker(tmp_path, **settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "it has ended")
        assert worker.exit_code == 1
        assert worker.log.splitlines()[-1] == f"streamapp: {tmp_path}/missing.onnx: there is no such file"


def test_without_the_packages_of_the_model_the_start_says_what_to_install(
    topics: Topics, tmp_path: Path, settings: dict[str, Any]
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "found = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'onnxruntime' else found(name, *rest)\n"
    )
    with Worker(tmp_path, environment={"PYTHONPATH": str(hidden)}, forked=False, **settings) as worker:
        wait_until(lambda: worker.exit_code is not None, "it has ended")
        assert worker.log.splitlines()[-1] == "streamapp: the risk pipeline needs pip install 'streamapp[risk]'"
