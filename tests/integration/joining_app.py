"""An app with joins, by their names; the environment says which of them it has (``JOINS``).

It may say too at which step of a commit the worker is killed (``DIES_AT``), and where results go (``RESULTS``).
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any, cast

from commit_steps import end_at

from streamapp import App
from streamapp.joins import Record, SideOutput, State, StreamTableJoin
from streamapp.topology import JoinDeclaration

SIDES = ("unmatched", "late", "expired", "null_key", "rejected")
#: All kinds of joins that are here.
KINDS = ("pairs", "enriched", "as-of", "versioned", "ttl", "n-way", "self", "tables", "windows")
#: What the callback of the joins was called with.
TOLD: list[SideOutput] = []


def declared(app: App) -> dict[str, JoinDeclaration]:
    """All joins that the tests run, by name."""
    purchases, views, customers = (app.topic(name) for name in ("purchases", "views", "customers"))
    strict = app.topic("purchases", type=dict[str, int])
    found: list[JoinDeclaration[Any]] = [
        purchases.join(views, before=300, after=100, grace=200, how="outer", name="pairs"),
        purchases.join(customers.table(), how="left", name="enriched"),
        purchases.join_asof(views, tolerance=200, grace=200, direction="nearest", how="left", name="as-of"),
        purchases.join(customers.table(history=2_000), grace=200, how="left", name="versioned"),
        purchases.join(customers.table(ttl=500), how="left", name="ttl"),
        purchases.join(customers.table(), views.table(), how="left", name="n-way"),
        purchases.join(purchases, before=50, after=0, grace=200, name="self"),
        views.table().join(customers.table(), how="outer", name="tables"),
        purchases.reduce_windows(
            views,
            size=500,
            advance=250,
            grace=200,
            initial=list,
            reduce=lambda sizes, side, record: [*sizes, (side, len(record.value or b""))],
            value=list[tuple[int, int]],
            name="windows",
        ),
        purchases.table().join(customers.table(), foreign_key=customer, name="foreign-key"),
        purchases.table().join(customers.table(), foreign_key=customer, how="left", name="left-foreign-key"),
        purchases.join(customers.global_table(), key=customer, how="left", name="global"),
        strict.join(customers.table(), name="strict"),
        JoinDeclaration(app, "leaky", cast("Any", LeakyJoin()), [purchases.source(0), customers.source(1)]),
    ]
    return {join.name: join for join in found}


def customer(purchase: Record) -> bytes | None:
    """Give the customer that a purchase names; some name none."""
    number = int(json.loads(purchase.value or b"")["purchases"])
    return b"k%d" % (number % 23) if number % 11 else None


class LeakyJoin(StreamTableJoin):
    """A join with a bug: it loses the last record of a batch."""

    def start(self, state: State, table: Any = None) -> Any:
        operator = StreamTableJoin.start(self, state)
        process = operator.process
        operator.process = lambda batch: process(list(batch)[:-1])  # type: ignore[method-assign]
        return operator


def run(app: App, names: str) -> None:
    """Have the app run some of the joins, each to a topic of its name; its side outputs too, or the lineage of each."""
    found, lineage = declared(app), "LINEAGE" in os.environ
    for name in names.split(","):
        sides: dict[str, Any] = {} if lineage else {side: app.sink(f"{name}.{side}") for side in SIDES}
        results = os.environ.get("RESULTS", f"{name}.joined")
        found[name].to(app.sink(results), tell=TOLD.append, lineage=lineage, **sides)


app = App(origin="joining_app")
run(app, os.environ.get("JOINS", "pairs"))
if step := os.environ.get("DIES_AT"):
    end_at(step, signal.SIGKILL)
