"""An app with joins, by their names; the environment says which of them it has (``JOINS``)."""

from __future__ import annotations

import os
import time
from typing import Any

from streamapp import web
from streamapp.settings import Settings
from streamapp.topology import App, JoinDeclaration
from streamapp.topology.sink import json_value
from streamapp.worker import Worker


class JoiningApp(App):
    def __init__(self, settings: Settings) -> None:
        self.metrics = web.Metrics()
        super().__init__(settings, origin="joining_app", Worker=Worker, **web.options(self.metrics))

    def on_webserver_init(self, _web: object) -> None:
        web.mount(self)


def declared(app: App) -> dict[str, JoinDeclaration]:
    """All joins that the tests run, by name."""
    purchases, views, customers = (app.batches(name) for name in ("purchases", "views", "customers"))
    joins = [
        purchases.join(views, before=300, after=100, grace=200, how="outer", name="pairs"),
        purchases.join(customers.table(), how="left", name="enriched"),
    ]
    return {join.name: join for join in joins}


def run(app: App, names: str) -> None:
    """Have the app run some of the joins, each to a topic of its name."""
    joins = declared(app)
    for name in names.split(","):
        joins[name].to(app.output(f"{name}.joined"), value=slowly)


def slowly(result: Any) -> bytes | None:
    """Make a worker slow enough to be met at work."""
    time.sleep(float(os.environ.get("SECONDS_A_RESULT", "0")))
    return json_value(result)


app = JoiningApp(Settings.load())
run(app, os.environ.get("JOINS", "pairs"))
