"""The topology that is shown: what is declared, in layers, and what agents were seen to send."""

from __future__ import annotations

from typing import Any

import pytest
from faust.types import TP
from views import app_of, asked

from streamapp import App, Batch
from streamapp.joins import Event
from streamapp.runtime.work import Rejected
from streamapp.windows import Count, tumbling


def picture(app: App) -> dict[str, Any]:
    found: dict[str, Any] = asked(app, "/api/topology")[0].json()
    return found


def arrows(app: App) -> set[tuple[str, str, str]]:
    return {(edge["source"], edge["target"], edge["way"]) for edge in picture(app)["edges"]}


def layers(app: App) -> dict[str, int]:
    return {node["id"]: node["layer"] for node in picture(app)["nodes"]}


def app_with_a_join() -> App:
    app = app_of()
    paid = app.topic("orders").join(app.topic("payments"), before=1, after=1, grace=0, name="paid")
    paid.to("paid", late="late_orders")
    return app


def test_a_join_reads_its_topics_and_sends_results_and_what_is_not_matched() -> None:
    assert arrows(app_with_a_join()) == {
        ("topic:orders", "join:paid", "input"),
        ("topic:payments", "join:paid", "input"),
        ("join:paid", "topic:paid", "result"),
        ("join:paid", "topic:late_orders", "side"),
    }


def test_each_box_is_in_a_layer_behind_all_that_leads_to_it() -> None:
    app = app_with_a_join()
    app.topic("paid").window(tumbling(1_000), name="minutes").agg(n=Count()).to("counts")
    found = layers(app)
    order = ["topic:orders", "join:paid", "topic:paid", "window:minutes", "topic:counts"]
    assert [found[name] for name in order] == [0, 1, 2, 3, 4]
    assert found["topic:payments"] == 0


def test_no_two_boxes_are_in_one_place() -> None:
    app = app_with_a_join()
    for name in ("clicks", "views", "visits"):
        app.topic(name).window(tumbling(1_000), name=f"{name}_counted").agg(n=Count()).to(f"{name}_counts")
    places = [(node["layer"], node["row"]) for node in picture(app)["nodes"]]
    assert len(places) == len(set(places)) == 4 + 1 + 9


def app_with_an_agent() -> App:
    app = app_of()
    clicks, table, seen = app.topic("clicks", batches=True), app.table("counts"), app.sink("seen")
    table.source = clicks.topics[0]

    @app.agent(clicks)
    async def count(batches: Any) -> None:
        async for batch in batches:
            seen.send(batch, [])

    return app


def test_an_agent_writes_the_table_of_its_topic() -> None:
    assert arrows(app_with_an_agent()) == {
        ("topic:clicks", "agent:count", "input"),
        ("agent:count", "table:counts", "rows"),
    }


def test_what_an_agent_sends_shows_once_the_broker_has_it() -> None:
    app = app_with_an_agent()
    app.sink("seen").took([(Event(b"ann", b"{}", 0, 1), b"{}")] * 3, "clicks")  # type: ignore[list-item]
    batch = Batch(TP("clicks", 0), [])
    rejected = Rejected(batch.tp, Event(b"ann", b"{}", 0, 1), "not_json", "it is none")  # type: ignore[arg-type]
    letters = app.dead_letters.letters([rejected])
    app.dead_letters.took(letters, "clicks")
    app.read["clicks"] = 4
    counts = {(edge["source"], edge["target"], edge["way"]): edge["count"] for edge in picture(app)["edges"]}
    assert counts == {
        ("topic:clicks", "agent:count", "input"): 4,
        ("agent:count", "topic:seen", "result"): 3,
        ("agent:count", "topic:dead_letters", "side"): 1,
        ("agent:count", "table:counts", "rows"): None,
    }


@pytest.mark.parametrize("make", [app_with_a_join, app_with_an_agent])
def test_the_picture_stays_as_it_is_while_nothing_is_new(make: Any) -> None:
    one, other = asked(make(), "/api/topology", "/api/topology")
    assert one.json() == other.json()


def test_agents_that_send_to_each_other_are_shown_all_the_same() -> None:
    app = app_of()
    for name, other in (("pings", "pongs"), ("pongs", "pings")):

        @app.agent(app.topic(name, batches=True), name=f"app.read_{name}")
        async def read(batches: Any) -> None:
            async for _ in batches:
                pass

        app.sink(other).took([(Event(b"ann", b"{}", 0, 1), b"{}")], name)  # type: ignore[list-item]
    assert {node["id"] for node in picture(app)["nodes"]} == {
        "topic:pings",
        "topic:pongs",
        "agent:read_pings",
        "agent:read_pongs",
    }
