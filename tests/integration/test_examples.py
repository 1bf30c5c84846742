"""Each of the examples does on a real Kafka what its first lines say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from topics import Topics
from worker import Worker, wait_until

ROOT = Path(__file__).parents[2]
HOUR = 3_600_000
TEA_ORDER, PAYMENT = {"order": "o1", "item": "tea"}, {"order": "o1", "amount": 5}
TRADE, QUOTE = {"symbol": "ABC", "price": 10}, {"symbol": "ABC", "bid": 9.9}
ORDER, OSLO, ROME = {"id": "o1", "customer": "ann"}, {"id": "ann", "city": "Oslo"}, {"id": "ann", "city": "Rome"}
SALE, PRICE, TAX = {"item": "tea", "n": 2}, {"item": "tea", "price": 3}, {"item": "tea", "tax": 25}
REVIEW, ITEM = {"item": "tea", "text": "fine"}, {"item": "tea", "shelf": "A7"}


@dataclasses.dataclass(frozen=True)
class Example:
    """What is sent (topic, key, value, event time in ms), and what is to come out, by topic or path."""

    sent: Sequence[tuple[str, str, Any, int]]
    topics: dict[str, list[Any]]
    pages: dict[str, Any] = dataclasses.field(default_factory=dict)
    #: What is sent, and comes out, after that.
    then: Example | None = None


EXAMPLES = {
    "orders": Example(
        [
            ("orders", "o1", TEA_ORDER, -3 * HOUR),
            ("payments", "o1", PAYMENT, -3 * HOUR + 1),
            ("orders", "o1", {"order": "unpaid"}, -2 * HOUR),
            ("orders", "o1", {"order": "later"}, 0),
        ],
        {"paid_orders": [{"left": TEA_ORDER, "right": PAYMENT}, {"left": {"order": "unpaid"}, "right": None}]},
        then=Example([("payments", "o1", PAYMENT, -2 * HOUR)], {"late_payments": [PAYMENT]}),
    ),
    "enrichment": Example(
        [
            ("profiles", "ann", {"user": "ann", "plan": "free"}, -30 * HOUR),
            ("views", "ann", {"user": "ann", "url": "/"}, -29 * HOUR),
            ("views", "bob", {"user": "bob", "url": "/b"}, -29 * HOUR),
            ("views", "ann", {"user": "ann", "url": "/late"}, 0),
        ],
        {
            "named_views": [
                {"user": "ann", "url": "/", "plan": "free"},
                {"user": "bob", "url": "/b", "plan": None},
                {"user": "ann", "url": "/late", "plan": None},
            ],
            "stale_views": [{"user": "ann", "url": "/late"}],
        },
    ),
    "trades": Example(
        [("quotes", "ABC", QUOTE, -60_000), ("trades", "ABC", TRADE, -59_500)],
        {"priced_trades": [{"left": TRADE, "right": QUOTE}]},
    ),
    "customers": Example(
        [("shop_orders", "o1", ORDER, 0), ("shop_customers", "ann", OSLO, 0)],
        {"orders_with_customers": [{"left": ORDER, "right": OSLO}]},
        then=Example(
            [("shop_customers", "ann", ROME, 1)],
            {"orders_with_customers": [{"left": ORDER, "right": OSLO}, {"left": ORDER, "right": ROME}]},
        ),
    ),
    "rates": Example(
        [
            ("prices", "tea", PRICE, -HOUR),
            ("prices", "tea", {"item": "tea", "price": 4}, -10),
            ("taxes", "tea", TAX, -HOUR),
            ("sales", "tea", SALE, -1000),
            ("sales", "nuts", {"item": "nuts"}, -1000),
        ],
        {
            "invoices": [
                {"sale": SALE, "price": PRICE, "tax": TAX},
                {"sale": {"item": "nuts"}, "price": None, "tax": None},
            ],
            "unpriced_sales": [{"item": "nuts"}],
        },
    ),
    "deduplication": Example(
        [("messages", f"m{number % 3}", {"id": number % 3}, number) for number in range(9)],
        {"unique_messages": [{"id": 0}, {"id": 1}, {"id": 2}]},
    ),
    "throttle": Example(
        [("alerts", "m1", {"n": number}, number * 20_000) for number in range(-6, 0)],
        {"pages": [{"n": n} for n in (-6, -5, -3, -2)], "muted_alerts": [{"n": -4}, {"n": -1}]},
    ),
    "silence": Example(
        [("beats", "m1", {}, -60_000), ("beats", "m1", {}, -59_000), ("beats", "m3", {}, -40_000)],
        {"silent_machines": [{"machine": "m1", "clock": "event"}, {"machine": "m3", "clock": "wall"}]},
    ),
    "merge": Example(
        [("web_orders", "o1", {"id": "o1", "cents": 250}, 0), ("branch_orders", "o2", {"no": "o2", "euros": 2.5}, 0)],
        {"all_orders": [{"id": "o1", "cents": 250}, {"id": "o2", "cents": 250}]},
    ),
    "branches": Example(
        [("all_payments", f"p{cents}", {"id": "p", "cents": cents}, 0) for cents in (0, 5, 500, 50_000)]
        + [("all_payments", "p", {"id": "p", "cents": "5"}, 0)],
        {
            "small_payments": [{"id": "p", "cents": 5}],
            "payments_to_look_at": [{"id": "p", "cents": 500}],
            "large_payments": [{"id": "p", "cents": 50_000}],
            "dead_letters": [{"id": "p", "cents": "5"}],
        },
    ),
    "ip_minutes": Example(
        [
            ("transactions", "t", {"ip": "10.0.0.1", "amount": amount}, at)
            for amount, at in ((5, -HOUR), ("much", -HOUR), (7, -HOUR), (1, 0), (9, -HOUR))
        ],
        {
            "ip_minutes": [{"key": "10.0.0.1", "n": 2, "total": 12}],
            "late_transactions": [{"ip": "10.0.0.1", "amount": 9}],
            "dead_letters": [{"ip": "10.0.0.1", "amount": "much"}],
        },
    ),
    "busy_cards": Example(
        [("card_payments", card, {"card": card, "amount": 5}, -HOUR) for card in ("c1", "c1", "c2", "c1", "c1")]
        + [("card_payments", card, {"card": card, "amount": amount}, 0) for card, amount in (("c1", 1), ("c1", None))]
        + [("card_payments", "c1", {"card": "c1"}, 0)],
        {
            "busy_cards": [{"card": "c1", "n": 4, "total": 20}],
            "unusable_payments": [{"card": "c1"}],
        },
    ),
    "balances": Example(
        [("bookings", "ann", {"amount": 5}, 0), ("bookings", "ann", {"amount": -2}, 1), ("bookings", "ann", "?", 2)],
        {"dead_letters": ["?"]},
        {"/table/balances/ann/": {"balance": 3, "bookings": 2}},
    ),
    "reviews": Example(
        [
            ("stars", "tea", {"item": "tea", "stars": 5}, 0),
            ("stars", "tea", {"item": "tea", "stars": 3}, 0),
            ("items", "tea", ITEM, 0),
            ("reviews", "tea", REVIEW, 1),
        ],
        {"reviews_of_items": [{"left": REVIEW, "right": ITEM}]},
        {"/stars/tea/": {"item": "tea", "mean": 4.0}},
    ),
}


def test_each_example_is_run_and_listed() -> None:
    names = {path.stem for path in (ROOT / "examples").glob("*.py")}
    assert names == EXAMPLES.keys()
    listed = (ROOT / "examples" / "README.md").read_text()
    assert [name for name in names if f"[{name}.py]({name}.py)" not in listed] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_gives_what_it_says(kafka, tmp_path: Path, name: str) -> None:
    example, topics = EXAMPLES[name], Topics(kafka.bootstrap, name, partitions=2)
    path = {"PYTHONPATH": str(ROOT)}
    settings = topics.settings | {"partitions": 2}
    with Worker(tmp_path, app=f"examples.{name}", environment=path, **settings).wait_ready() as worker:
        step: Example | None = example
        while step is not None:
            _run(step, topics, worker)
            step = step.then


def _run(example: Example, topics: Topics, worker: Worker) -> None:
    for topic, key, value, at in example.sent:
        topics.send(topic, key, value, at=at)
        topics.flush()  # one after the other, as by hand
    for topic, expected in example.topics.items():
        wait_until(lambda t=topic, e=expected: _same(_values(topics, t), e), f"{topic} has {expected}")
    for page, answer in example.pages.items():
        wait_until(lambda p=page, a=answer: _json(worker, p) == a, f"{page} answers {answer}")


def _values(topics: Topics, topic: str) -> list[Any]:
    # At least once, a row whose partner comes after it has a tombstone first: for what a crash may have left.
    values = [json.loads(message.value()) for message in topics.read(topic) if message.value() is not None]
    # A time of the test is no text of it.
    return [
        {k: v for k, v in value.items() if k not in {"since", "start", "end"}} if isinstance(value, dict) else value
        for value in values
    ]


def _same(found: list[Any], expected: list[Any]) -> bool:
    return sorted(map(json.dumps, found)) == sorted(map(json.dumps, expected))


def _json(worker: Worker, page: str) -> Any:
    answer = worker.answers(page)
    return answer and answer.json()
