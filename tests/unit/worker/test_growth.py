"""Which topics may get more partitions while workers run, and what to do about the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamapp.formats.fields import Field
from streamapp.runtime.batch import Batch
from streamapp.settings import Settings
from streamapp.topology import App
from streamapp.worker.growth import advice, free_topics


def an_app(tmp_path: Path) -> Any:
    return App(Settings(datadir=tmp_path, store="memory://"), web_enabled=False)


def test_a_topic_that_is_only_repartitioned_may_get_more_and_its_copy_may_not(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    rekeyed = app.topic("orders").rekey(Field("customer_id"), name="customer_id")
    rekeyed.join(app.topic("customers").table()).to(app.sink("joined"))
    assert free_topics(app) == {"orders"}


def test_a_topic_whose_agent_keeps_rows_may_not(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    records = app.topic("records", batches=True)
    records.rekey(Field("other"), name="other")
    app.table("rows")

    @app.agent(records)
    async def keep(batches: Any) -> None:
        async for batch in batches:
            assert isinstance(batch, Batch)

    assert "records" not in free_topics(app)


def test_all_may_where_nothing_is_kept(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    app.topic("records", batches=True)
    app.topic("clicks", after=("profiles",), batches=True)
    assert free_topics(app) == {"records"}


def test_rows_are_moved_and_the_state_of_a_join_begins_anew(tmp_path: Path) -> None:
    app = an_app(tmp_path)
    app.topic("records", batches=True)
    app.table("rows")
    assert "`streamapp repartition` shows" in advice(app, {"records": 8, "changelog": 4})
    app.topic("others", batches=True)
    assert "`streamapp repartition --partitions 8` shows" in advice(app, {"records": 8, "others": 4, "changelog": 4})
    app.topic("left").join(app.topic("right").table()).to(app.sink("joined"))
    assert "`streamapp reset` starts it anew" in advice(app, {"left": 8, "right": 8})
