"""What an app of a user's own takes: an id, settings, and Faust's options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from streamapp import App, Settings
from streamapp.settings import Compression, Guarantee


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STREAMAPP_ID", raising=False)


def test_an_app_has_the_id_that_it_is_given() -> None:
    assert App("orders").conf.id == "orders"


def test_the_environment_wins_over_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMAPP_ID", "of-production")
    assert App("orders").conf.id == "of-production"


def test_settings_that_are_given_stand_in_for_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMAPP_BROKER", "elsewhere:9092")
    app = App(settings=Settings(id="shop", broker="here:9092", topic_prefix="shop."))
    assert (app.conf.id, app.settings.broker) == ("shop", "here:9092")
    assert app.topic("orders").name == "shop.orders"


def test_an_id_wins_over_that_of_settings() -> None:
    assert App("orders", settings=Settings(id="shop")).conf.id == "orders"


def test_faust_and_aiokafka_are_told_what_is_set_of_producers_and_commits() -> None:
    conf = App(settings=Settings(linger=5, compression=Compression.ZSTD, commit_interval=0.5)).conf
    assert (conf.producer_linger, conf.producer_compression_type) == (0.005, "zstd")
    assert conf.broker_commit_interval == 0.5


@pytest.mark.parametrize(("guarantee", "interval_s"), [(Guarantee.AT_LEAST_ONCE, 1.0), (Guarantee.EXACTLY_ONCE, 0.1)])
def test_without_a_commit_interval_it_is_that_of_the_guarantee(guarantee: Guarantee, interval_s: float) -> None:
    conf = App(settings=Settings(processing_guarantee=guarantee, compression=Compression.NONE)).conf
    assert conf.broker_commit_interval == interval_s
    assert conf.producer_compression_type is None


def test_options_of_the_web_server_go_beside_ours() -> None:
    @web.middleware
    async def mine(request: web.Request, handler: Any) -> web.StreamResponse:
        return await handler(request)

    app = App(settings=Settings(web_token="x" * 16), web_application_options={"middlewares": [mine], "debug": True})
    options = app.conf.web_application_options
    assert options["debug"] is True
    assert options["middlewares"][-1] is mine
    assert len(options["middlewares"]) == 4


@pytest.mark.parametrize("declare", ["GlobalTable", "SetTable", "SetGlobalTable"])
def test_tables_of_fausts_that_would_not_work_are_refused(declare: str) -> None:
    with pytest.raises(NotImplementedError, match=r"app\.Table"):
        getattr(App("orders"), declare)("counts")


def test_a_table_of_rows_and_one_of_fausts_do_not_share_a_name() -> None:
    app = App("orders")
    app.Table("counts", default=int)
    with pytest.raises(TypeError, match=r"declared by app\.Table"):
        app.table("counts")
