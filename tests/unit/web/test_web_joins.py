"""Views of joins: which there are, and what became of a record."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

import pytest
from faust.types import TP
from views import app_of, asked, assignor_of

from streamapp import App
from streamapp.explain.answer import Answer, AskedRecord, Place
from streamapp.explain.explainer import Explainer
from streamapp.joins import Verdict
from streamapp.kafka.log_reader import LogError, MissingError

PLACE = Place("orders", 0, 5)
ANSWER = Answer(
    join="bought",
    side="left",
    record=AskedRecord(PLACE, "ann", 1_000),
    verdict=Verdict.MATCHED,
    because="it joined",
    clock=1_000,
    position=6,
    window=None,
    until=None,
    grace_ms=None,
    late_by_ms=0,
    candidates=[],
    evidence=None,
)


class FixedExplainer(Explainer):
    """Knows one record of a join; of others it raises an error."""

    error: Exception = MissingError("orders[0] has no offset 9: it has offsets 0 to 5")

    async def explain(self, tp: TP, offset: int) -> Sequence[Answer]:  # type: ignore[override]
        if Place(*tp, offset) != PLACE:
            raise self.error
        return [ANSWER]

    async def find(self, topic: str, key: bytes, timestamp: int) -> Place:
        if (topic, key, timestamp) != ("orders", b"ann", 1_000):
            raise self.error
        return PLACE


def app_with_a_join(error: Exception | None = None) -> App:
    app = app_of()
    join = app.topic("orders").join(app.topic("views"), before=1, after=1, grace=0, name="bought").to("out")
    explainer = FixedExplainer(pytest.fail, join)
    explainer.error = error or explainer.error
    app.explainers["bought"] = explainer
    assignor_of(app).actives = {TP(join.table.changelog_topic_name, number) for number in range(2)}
    return app


def test_joins_are_described_by_the_topics_that_they_read() -> None:
    described = {"name": "bought", "topics": ["orders", "views"], "table": "bought"}
    joins, join = asked(app_with_a_join(), "/joins/", "/joins/bought/")
    assert (joins.json(), join.json()) == ([described], described)


def test_a_record_is_explained() -> None:
    (reply,) = asked(app_with_a_join(), "/joins/bought/orders/0/5/")
    assert reply.status == HTTPStatus.OK
    (answer,) = reply.json()
    assert (answer["verdict"], answer["because"]) == ("matched", "it joined")
    assert answer["record"]["place"] == {"topic": "orders", "partition": 0, "offset": 5}


def test_a_key_and_a_time_lead_to_the_record() -> None:
    (reply,) = asked(app_with_a_join(), "/joins/bought/orders/?key=ann&time=1000")
    assert (reply.status, reply.headers["Location"]) == (HTTPStatus.FOUND, "/joins/bought/orders/0/5/")
    assert reply.json() == {"see": "/joins/bought/orders/0/5/"}


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("orders/0/9/", 404, "orders[0] has no offset 9: it has offsets 0 to 5"),
        ("orders/7/0/", 404, "unknown partition"),
        ("clicks/0/0/", 404, "the join does not read this topic"),
        ("orders/0/-1/", 400, "offset must be a whole number from 0 to 9223372036854775807"),
        ("orders/1_0/1/", 400, "partition must be a whole number from 0 to 2147483647"),
        ("orders/?key=ann&time=1e3", 400, "time must be a whole number from 0 to 9223372036854775807"),
        ("orders/?key=ann", 400, "say which record: ?key=KEY&time=MS, or …/PARTITION/OFFSET/"),
    ],
)
def test_a_question_without_an_answer_is_told_why(path: str, status: int, error: str) -> None:
    (reply,) = asked(app_with_a_join(), f"/joins/bought/{path}")
    assert (reply.status, reply.error) == (status, error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (LogError("Kafka at localhost:9092 does not answer"), "Kafka at localhost:9092 does not answer"),
        (KeyError(TP("orders", 0)), "the key is moving to another worker; try again"),
    ],
    ids=["the broker is away", "a rebalance"],
)
def test_an_answer_may_be_unavailable_for_now(error: Exception, text: str) -> None:
    (reply,) = asked(app_with_a_join(error), "/joins/bought/orders/0/9/")
    assert (reply.status, reply.error) == (HTTPStatus.SERVICE_UNAVAILABLE, text)
